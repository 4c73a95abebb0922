import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { type Bundle, blobPath } from './bundle.js';
import { imageIndex, OCI_LAYOUT } from './image.js';
import { addTarEntry, LAYER_MEDIA_TYPE } from './layer.js';
import type { BundleImage } from './lock.js';

export interface ArchiveOptions {
  /**
   * Blobs, sha256 in hex, that the receiver's content store has and that an image there refers to, so that they
   * stay. Only layers are left out: an import reads manifests and configurations.
   */
  omitBlobs?: ReadonlySet<string>;
}

const EPOCH = new Date(0);

/**
 * Images as one OCI layout in a tar stream, as `ctr --namespace k8s.io images import -` reads it. A blob that
 * several images share is in it once. A blob that can't be read destroys the stream with that error.
 */
export function writeImagesArchive(
  bundle: Bundle,
  images: readonly BundleImage[],
  options: ArchiveOptions = {},
): Readable {
  const tar = pack();
  const out = new PassThrough({ highWaterMark: 1 << 20 });
  // Every failure is reported through `out`, which is the caller's to read.
  pipeline(tar, out).catch((error: Error) => out.destroy(error));
  fill(tar, bundle, images, options.omitBlobs ?? new Set()).catch((error: Error) => out.destroy(error));
  return out;
}

async function fill(
  tar: Pack,
  bundle: Bundle,
  images: readonly BundleImage[],
  omit: ReadonlySet<string>,
): Promise<void> {
  const header = (name: string) =>
    ({ name, type: 'file', mode: 0o644, mtime: EPOCH, uid: 0, gid: 0 }) as const;
  await addTarEntry(tar, header('oci-layout'), OCI_LAYOUT);
  await addTarEntry(tar, header('index.json'), imageIndex(images));
  for (const { sha256, size } of archivedBlobs(images, omit)) {
    await addTarEntry(tar, header(`blobs/sha256/${sha256}`), { file: blobPath(bundle, sha256), size });
  }
  tar.finalize();
}

/** The blobs that an archive of these images holds, each once; their sizes are what has to be sent. */
export function archivedBlobs(
  images: readonly BundleImage[],
  omitBlobs: ReadonlySet<string> = new Set(),
): { sha256: string; size: number }[] {
  const blobs = new Map<string, { sha256: string; size: number }>();
  for (const { sha256, size, mediaType } of images.flatMap((image) => image.blobs)) {
    if (mediaType !== LAYER_MEDIA_TYPE || !omitBlobs.has(sha256)) blobs.set(sha256, { sha256, size });
  }
  return [...blobs.values()];
}
