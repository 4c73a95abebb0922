import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { KeelsonError } from '../../errors/keelson-error.js';
import { type Bundle, blobPath, loadBundle } from '../bundle.js';
import { hashFile } from '../cache.js';
import { bundleIndex, OCI_LAYOUT } from '../image.js';
import { LOCK_FILE } from '../lock.js';
import { bundleId, papersOf } from '../papers.js';
import { SBOM_FILE } from '../sbom.js';
import { SIGNATURE_FILE } from '../signature.js';
import { storeBlob, writeWhole } from '../store.js';
import { carriedBlobs } from './contents.js';
import { type ArchiveHead, type ReadArchiveOptions, readBundleArchive } from './read.js';

export interface UnpackOptions extends Pick<ReadArchiveOptions, 'keys' | 'signal'> {
  /** The bundle directory; an older bundle there is replaced once everything is checked. */
  dir: string;
  /** What a delta is applied onto; every blob of it that is used is checked. */
  base?: Bundle | undefined;
}

/**
 * Unpacks an archive into a bundle directory. Nothing is in place before the last bit is checked.
 * @throws KeelsonError BUNDLE: corrupt, not signed as asked, a delta without its base; USAGE for a directory that
 * holds something else
 */
export async function unpackBundle(file: string, options: UnpackOptions): Promise<Bundle> {
  const { dir, base } = options;
  await requireReplaceable(dir);
  const temporary = `${dir}.tmp-${process.pid}`;
  const store = join(temporary, 'blobs', 'sha256');
  await rm(temporary, { recursive: true, force: true });
  try {
    const { lock, papers } = await readBundleArchive(file, {
      keys: options.keys,
      signal: options.signal,
      begin: async (head) => {
        await mkdir(store, { recursive: true });
        await takeFromBase(head, base, store, file);
        return true;
      },
      blob: (blob, chunks) =>
        pipeline(chunks, createWriteStream(join(store, blob.sha256), { flags: 'wx', mode: 0o444 })),
    });
    await writeWhole(join(temporary, 'oci-layout'), OCI_LAYOUT);
    await writeWhole(join(temporary, 'index.json'), bundleIndex(lock));
    await writeWhole(join(temporary, SBOM_FILE), papers.sbom);
    if (papers.signature !== null) await writeWhole(join(temporary, SIGNATURE_FILE), papers.signature);
    await writeWhole(join(temporary, LOCK_FILE), papers.lock);
    await rm(dir, { recursive: true, force: true });
    await rename(temporary, dir);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return loadBundle(dir);
}

/** What a bundle directory has in it; a directory with anything else is never removed. */
const OURS: readonly string[] = ['blobs', 'oci-layout', 'index.json', LOCK_FILE, SBOM_FILE, SIGNATURE_FILE];

async function requireReplaceable(dir: string): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  const names: string[] = await readdir(dir).catch(() => []);
  if (names.every((name) => OURS.includes(name))) return;
  throw new KeelsonError('USAGE', `${dir} holds something else than a bundle`, {
    hint: 'name a directory that is empty or not there yet',
  });
}

async function takeFromBase(
  { delta, lock }: ArchiveHead,
  base: Bundle | undefined,
  store: string,
  file: string,
): Promise<void> {
  if (delta === null) return;
  const hint = 'name the bundle that it was made from with --base';
  if (base === undefined)
    throw new KeelsonError('BUNDLE', `${file}: is a delta to a bundle of ${delta.baseVersion}`, { hint });
  if (bundleId((await papersOf(base)).lock) !== delta.base)
    throw new KeelsonError('BUNDLE', `${base.dir}: is not the bundle that ${file} is a delta to`, { hint });
  for (const { sha256, size } of carriedBlobs(lock)) {
    if (!delta.omitted.has(sha256)) continue;
    const path = blobPath(base, sha256);
    const found = await hashFile(path).catch(() => null);
    if (found?.sha256 !== sha256 || found.size !== size)
      throw new KeelsonError('BUNDLE', `${path}: is missing or corrupt`, {
        hint: `check ${base.dir} with \`keelson bundle verify\``,
      });
    await storeBlob(store, { file: path, sha256, size }, 0o444);
  }
}
