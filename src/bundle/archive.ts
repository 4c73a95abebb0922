import { tarStream } from '../archive/tar.js';
import { type Bundle, blobPath } from './bundle.js';
import { imageIndex, OCI_LAYOUT } from './image.js';
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
 * several images share is in it once. A chunk is the reader's only until it asks for the next one.
 */
export function imagesArchive(
  bundle: Bundle,
  images: readonly BundleImage[],
  options: ArchiveOptions = {},
): AsyncGenerator<Buffer> {
  const header = (name: string) => ({ name, mode: 0o644, mtime: EPOCH, uid: 0, gid: 0 });
  return tarStream([
    { header: header('oci-layout'), content: OCI_LAYOUT },
    { header: header('index.json'), content: imageIndex(images, bundle.lock.architecture) },
    ...archivedBlobs(images, options.omitBlobs).map(({ sha256, size }) => ({
      header: header(`blobs/sha256/${sha256}`),
      content: { file: blobPath(bundle, sha256), size },
    })),
  ]);
}

/** The blobs that an archive of these images holds, each once; their sizes are what has to be sent. */
export function archivedBlobs(
  images: readonly BundleImage[],
  omitBlobs: ReadonlySet<string> = new Set(),
): { sha256: string; size: number }[] {
  const blobs = new Map<string, { sha256: string; size: number }>();
  for (const {
    blobs: [manifest, configuration, ...layers],
  } of images) {
    const left = layers.filter(({ sha256 }) => !omitBlobs.has(sha256));
    for (const blob of [manifest, configuration, ...left]) {
      if (blob !== undefined) blobs.set(blob.sha256, { sha256: blob.sha256, size: blob.size });
    }
  }
  return [...blobs.values()];
}
