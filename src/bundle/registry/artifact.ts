import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { WebResponse } from '../../web/client.js';
import { expectContent } from '../../web/download.js';
import { isPassing, type RetrySettings, retrying, TryLater } from '../../web/retry.js';
import { type Bundle, blobPath } from '../bundle.js';
import { INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, platformIndex } from '../image.js';
import { carriedImages, locksByArchitecture, plainFiles } from '../lock.js';
import { papersOf } from '../papers.js';
import type { Registry } from './client.js';

/** What makes a manifest one of a bundle: its layers are the papers, then the programs. */
const ARTIFACT_TYPE = 'application/vnd.keelson.bundle.v1';
export const PAPER_TYPES = {
  lock: 'application/vnd.keelson.bundle.lock.v1+json',
  sbom: 'application/spdx+json',
  signature: 'application/vnd.keelson.bundle.signature.v1+json',
} as const;
const PROGRAM_TYPE = 'application/octet-stream';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const EMPTY = Buffer.from('{}');

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
});

/** The index that a bundle's tag names: the bundle's own manifest, and those of its images. */
export const bundleIndexSchema = z.object({
  manifests: z.array(descriptor.extend({ artifactType: z.string().optional() })),
});
export const bundleManifestSchema = z.object({
  artifactType: z.literal(ARTIFACT_TYPE),
  layers: z.array(descriptor),
});

export interface PushOptions extends RetrySettings {
  /** Repository of the registry. */
  repository: string;
  tag: string;
  onBlob?: ((sha256: string, size: number, sent: boolean) => void) | undefined;
}

/**
 * Puts a bundle into one repository of a registry, under a tag. Blobs that are there are not sent again.
 * @throws KeelsonError AUTHENTICATION, CONNECTION; BUNDLE for what the registry refuses
 * @returns digest of the index
 */
export async function pushBundle(registry: Registry, bundle: Bundle, options: PushOptions): Promise<string> {
  const { repository, tag } = options;
  const papers = await papersOf(bundle);
  const layers = [];
  for (const [name, mediaType] of Object.entries(PAPER_TYPES)) {
    const bytes = papers[name as keyof typeof PAPER_TYPES];
    if (bytes !== null) layers.push({ mediaType, ...(await pushBytes(registry, bytes, options)) });
  }
  for (const { sha256, size } of plainFiles(bundle.lock)) {
    await pushFile(registry, bundle, { sha256, size }, options);
    layers.push({ mediaType: PROGRAM_TYPE, digest: `sha256:${sha256}`, size });
  }
  const config = { mediaType: EMPTY_TYPE, ...(await pushBytes(registry, EMPTY, options)) };
  const locks = locksByArchitecture(bundle.lock);
  for (const image of carriedImages(bundle.lock)) await pushImage(registry, bundle, image, options);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_MEDIA_TYPE,
      artifactType: ARTIFACT_TYPE,
      config,
      layers,
    }),
  );
  const own = await pushManifest(registry, manifest, MANIFEST_MEDIA_TYPE, null, options);
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX_MEDIA_TYPE,
      manifests: [
        { mediaType: MANIFEST_MEDIA_TYPE, digest: own, size: manifest.length, artifactType: ARTIFACT_TYPE },
        ...locks.flatMap(({ images, architecture }) =>
          images.map(({ reference, digest, size, blobs }) => ({
            mediaType: blobs[0]?.mediaType ?? MANIFEST_MEDIA_TYPE,
            digest,
            size,
            annotations: { 'org.opencontainers.image.ref.name': reference },
            platform: { architecture, os: 'linux' },
          })),
        ),
      ],
    }),
  );
  return pushManifest(registry, index, INDEX_MEDIA_TYPE, tag, { ...options, repository });
}

/**
 * Puts one image of a bundle into a repository, its blobs first.
 * @param options.tag null: by digest only
 */
async function pushImage(
  registry: Registry,
  bundle: Bundle,
  image: Bundle['lock']['images'][number],
  options: Omit<PushOptions, 'tag'> & { tag?: string },
): Promise<void> {
  const [manifest, ...rest] = image.blobs;
  if (manifest === undefined) return;
  for (const blob of rest) await pushFile(registry, bundle, blob, options);
  const bytes = await wholeBlob(bundle, manifest.sha256);
  await pushManifest(registry, bytes, manifest.mediaType, null, options);
}

/** An image, in all of the bundle's architectures that have it, under a tag, for hosts that pull it by its name. */
export async function pushTaggedImage(
  registry: Registry,
  bundle: Bundle,
  reference: string,
  options: PushOptions,
): Promise<void> {
  const images = locksByArchitecture(bundle.lock).flatMap((lock) =>
    lock.images
      .filter((image) => image.reference === reference)
      .map((image) => ({ image, architecture: lock.architecture })),
  );
  for (const { image } of images) await pushImage(registry, bundle, image, options);
  const [manifest] = images[0]?.image.blobs ?? [];
  if (manifest === undefined) return;
  const { tag } = options;
  if (images.length > 1) await pushManifest(registry, platformIndex(images), INDEX_MEDIA_TYPE, tag, options);
  else
    await pushManifest(registry, await wholeBlob(bundle, manifest.sha256), manifest.mediaType, tag, options);
}

async function wholeBlob(bundle: Bundle, sha256: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(blobPath(bundle, sha256))) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

type Blob = { sha256: string; size: number };

async function pushBytes(registry: Registry, bytes: Buffer, options: Omit<PushOptions, 'tag'>) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await pushBlob(registry, { sha256, size: bytes.length }, () => bytes, options);
  return { digest: `sha256:${sha256}`, size: bytes.length };
}

function pushFile(
  registry: Registry,
  bundle: Bundle,
  blob: Blob,
  options: Omit<PushOptions, 'tag'>,
): Promise<void> {
  const open = () => createReadStream(blobPath(bundle, blob.sha256), { highWaterMark: 1 << 20 });
  return pushBlob(registry, blob, open, options);
}

async function pushBlob(
  registry: Registry,
  { sha256, size }: Blob,
  open: () => Buffer | Readable,
  options: Omit<PushOptions, 'tag'>,
): Promise<void> {
  const { repository, signal } = options;
  const name = `${repository}@sha256:${sha256.slice(0, 16)}`;
  const sent = await retrying(options, async () => {
    const there = await registry.request(
      repository,
      `blobs/sha256:${sha256}`,
      { method: 'HEAD', signal },
      true,
    );
    await there.body.dump();
    if (there.status === 200) return false;
    const begun = await registry.request(
      repository,
      'blobs/uploads/',
      { method: 'POST', headers: { 'content-length': '0' }, signal },
      true,
    );
    await begun.body.dump();
    const { location } = begun.headers;
    if (begun.status !== 202 || location === undefined) throw await refused(begun, name);
    const target = new URL(location, begun.url);
    target.searchParams.set('digest', `sha256:${sha256}`);
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
    const done = await registry.request(
      repository,
      target.href,
      { method: 'PUT', headers, body: open(), signal },
      true,
    );
    await done.body.dump();
    if (done.status !== 201) throw await refused(done, name);
    return true;
  });
  options.onBlob?.(sha256, size, sent);
}

async function pushManifest(
  registry: Registry,
  bytes: Buffer,
  mediaType: string,
  tag: string | null,
  options: Omit<PushOptions, 'tag'>,
): Promise<string> {
  const { repository, signal } = options;
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const version = tag ?? digest;
  await retrying(options, async () => {
    const headers = { 'content-type': mediaType };
    const done = await registry.request(
      repository,
      `manifests/${version}`,
      { method: 'PUT', headers, body: bytes, signal },
      true,
    );
    await done.body.dump();
    if (done.status !== 201) throw await refused(done, `${repository}:${version}`);
  });
  return digest;
}

async function refused(answer: WebResponse, name: string): Promise<Error> {
  if (isPassing(answer.status) || answer.status === 401 || answer.status === 403)
    return expectContent(answer, name).then(
      () => new Error('unreachable'),
      (error: Error) => error,
    );
  const error = new KeelsonError('BUNDLE', `${name}: the registry refuses it with ${answer.status}`, {
    hint: 'check that the registry takes OCI artifacts and that the login may push there',
  });
  return answer.status >= 500 ? new TryLater(error, undefined) : error;
}
