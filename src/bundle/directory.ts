import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, loadBundle } from './bundle.js';
import { bundleIndex, OCI_LAYOUT } from './image.js';
import { type BundleLock, carriedImages, LOCK_FILE, plainFiles, renderLock } from './lock.js';
import { renewPapers } from './papers.js';
import { storeBlob, writeWhole } from './store.js';

/** Every blob of a lock, once, with the mode that its file in a store has. */
export function blobsOfLock(lock: BundleLock): { sha256: string; size: number; mode: number }[] {
  const blobs = new Map<string, { sha256: string; size: number; mode: number }>();
  for (const { sha256, size } of carriedImages(lock).flatMap((image) => image.blobs))
    blobs.set(sha256, { sha256, size, mode: 0o444 });
  for (const { sha256, size } of plainFiles(lock)) blobs.set(sha256, { sha256, size, mode: 0o555 });
  return [...blobs.values()];
}

/** Links blobs from another store into a bundle directory, or copies them across file systems. */
export async function linkBlobs(dir: string, lock: BundleLock, from: string): Promise<void> {
  const store = join(dir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });
  for (const { sha256, size, mode } of blobsOfLock(lock))
    await storeBlob(store, { file: join(from, sha256), sha256, size }, mode);
}

/** Writes what a bundle directory has beside its blobs, the lock last, and removes blobs that are not in it. */
export async function finishDirectory(dir: string, lock: BundleLock): Promise<Bundle> {
  await writeWhole(join(dir, 'oci-layout'), OCI_LAYOUT);
  await writeWhole(join(dir, 'index.json'), bundleIndex(lock));
  await writeWhole(join(dir, LOCK_FILE), renderLock(lock));
  await renewPapers({ dir, lock });
  const store = join(dir, 'blobs', 'sha256');
  const kept = new Set(blobsOfLock(lock).map(({ sha256 }) => sha256));
  for (const name of await readdir(store)) if (!kept.has(name)) await rm(join(store, name), { force: true });
  return loadBundle(dir);
}

/** Bytes of all blobs of a lock, each counted once. */
export function lockBytes(lock: BundleLock): number {
  return blobsOfLock(lock).reduce((sum, { size }) => sum + size, 0);
}
