import { type BundleLock, carriedImages, locksByArchitecture } from '../lock.js';

/** A blob as an archive carries it. */
export interface CarriedBlob {
  sha256: string;
  /** Bytes of the blob itself. */
  size: number;
  /** Name of its entry. */
  entry: string;
  /** Brotli in the archive: programs shrink to a third, layers are compressed already. */
  compressed: boolean;
}

export const DELTA_ENTRY = 'delta.json';
export const LAYOUT_ENTRY = 'oci-layout';
export const INDEX_ENTRY = 'index.json';

/** All blobs of a lock in the order of an archive. */
export function carriedBlobs(lock: BundleLock): CarriedBlob[] {
  const blobs = new Map<string, CarriedBlob>();
  const add = (sha256: string, size: number, compressed: boolean) => {
    if (blobs.has(sha256)) return;
    blobs.set(sha256, {
      sha256,
      size,
      compressed,
      entry: `blobs/sha256/${sha256}${compressed ? '.br' : ''}`,
    });
  };
  for (const { files, tools = [], hostPackages = [] } of locksByArchitecture(lock)) {
    for (const { sha256, size } of [...files, ...tools]) add(sha256, size, true);
    for (const { sha256, size } of hostPackages) add(sha256, size, false);
  }
  for (const { sha256, size } of lock.manifests ?? []) add(sha256, size, true);
  for (const { sha256, size, mediaType } of carriedImages(lock).flatMap((image) => image.blobs))
    add(sha256, size, mediaType.endsWith('.tar'));
  return [...blobs.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
}
