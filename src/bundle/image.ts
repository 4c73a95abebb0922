import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LAYER_MEDIA_TYPE } from './layer.js';
import { type Architecture, type BundleImage, type BundleLock, locksByArchitecture } from './lock.js';

export const MANIFEST_MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_MEDIA_TYPE = 'application/vnd.oci.image.index.v1+json';
const CONFIG_MEDIA_TYPE = 'application/vnd.oci.image.config.v1+json';

/** What a container gets from its image unless the pod says otherwise. */
export interface ImageConfig {
  entrypoint?: readonly string[];
  cmd?: readonly string[];
  /** `uid:gid`; root where it is absent. */
  user?: string;
  env?: readonly string[];
}

interface Blob {
  sha256: string;
  /** Bytes. */
  size: number;
  mediaType: string;
}

export interface AssembledImage {
  manifest: Blob & { bytes: Buffer };
  config: Blob & { bytes: Buffer };
  layers: readonly Blob[];
}

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
});
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema) });

const EPOCH = '1970-01-01T00:00:00Z';
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Configuration and manifest of an image; the same input gives the same bytes. */
export function assembleImage(
  config: ImageConfig,
  layers: readonly { sha256: string; size: number; diffId: string; comment: string }[],
): AssembledImage {
  const configuration = json(
    {
      architecture: 'amd64',
      os: 'linux',
      created: EPOCH,
      config: {
        Env: [PATH, ...(config.env ?? [])],
        ...(config.entrypoint === undefined ? {} : { Entrypoint: config.entrypoint }),
        ...(config.cmd === undefined ? {} : { Cmd: config.cmd }),
        ...(config.user === undefined ? {} : { User: config.user }),
        WorkingDir: '/',
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${layer.diffId}`) },
      history: layers.map((layer) => ({ created: EPOCH, created_by: 'keelson', comment: layer.comment })),
    },
    CONFIG_MEDIA_TYPE,
  );
  const blobs = layers.map(({ sha256, size }) => ({ sha256, size, mediaType: LAYER_MEDIA_TYPE }));
  const manifest = json(
    {
      schemaVersion: 2,
      mediaType: MANIFEST_MEDIA_TYPE,
      config: descriptor(configuration),
      layers: blobs.map(descriptor),
    },
    MANIFEST_MEDIA_TYPE,
  );
  return { manifest, config: configuration, layers: blobs };
}

type IndexedImage = Pick<BundleImage, 'reference' | 'digest' | 'size' | 'blobs'>;

/** An OCI image index that names each manifest, as containerd's import and the OCI layout's tools read it. */
export function imageIndex(images: readonly IndexedImage[], architecture: Architecture): Buffer {
  return indexOf(entriesOf(images, architecture));
}

/** The same for all images that a bundle carries; those of its main architecture come first. */
export function bundleIndex(lock: BundleLock): Buffer {
  return indexOf(
    lock.imagesBy === 'host'
      ? []
      : locksByArchitecture(lock).flatMap(({ images, architecture }) => entriesOf(images, architecture)),
  );
}

/** An index of one image for several architectures, as a tag of a registry names it. */
export function platformIndex(
  images: readonly { image: IndexedImage; architecture: Architecture }[],
): Buffer {
  return indexOf(
    images.map(({ image: { digest, size, blobs }, architecture }) => ({
      mediaType: blobs[0]?.mediaType ?? MANIFEST_MEDIA_TYPE,
      digest,
      size,
      platform: { architecture, os: 'linux' },
    })),
  );
}

const indexOf = (manifests: readonly unknown[]): Buffer =>
  Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests }));

function entriesOf(images: readonly IndexedImage[], architecture: Architecture) {
  return images.map((image) => ({
    mediaType: image.blobs[0]?.mediaType ?? MANIFEST_MEDIA_TYPE,
    digest: image.digest,
    size: image.size,
    annotations: {
      'io.containerd.image.name': image.reference,
      'org.opencontainers.image.ref.name': image.reference,
    },
    platform: { architecture, os: 'linux' },
  }));
}

/**
 * Configuration and layers that an image manifest names, in the order of a lock.
 * @returns null for what is no image manifest
 */
export function blobsOfManifest(bytes: Buffer): { sha256: string; size: number; mediaType: string }[] | null {
  try {
    const { config, layers } = manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
    return [config, ...layers].map(({ digest, size, mediaType }) => ({
      sha256: digest.slice('sha256:'.length),
      size,
      mediaType,
    }));
  } catch {
    return null;
  }
}

/** Content of the file `oci-layout`. */
export const OCI_LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

function json(value: unknown, mediaType: string): Blob & { bytes: Buffer } {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, mediaType, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function descriptor({ mediaType, sha256, size }: Blob) {
  return { mediaType, digest: `sha256:${sha256}`, size };
}
