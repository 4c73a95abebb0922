import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, loadBundle } from './bundle.js';
import { readBundleArchive } from './carry/read.js';
import { unpackBundle } from './carry/unpack.js';
import { bundleId, papersOf } from './papers.js';
import { checkSignature } from './signature.js';

export interface OpenBundleOptions {
  /** Where files are unpacked to, each once, in a directory named by the bundle's id. */
  cacheDir: string;
  /** One of these has to have signed it. */
  keys?: readonly KeyObject[] | undefined;
  /** Take what was unpacked before without reading the whole file again. */
  quick?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called before a file is unpacked. */
  onUnpack?: (() => void) | undefined;
}

/**
 * A bundle, be it a directory or a file that `bundle export` has written. A file is checked from end to end each
 * time, and unpacked once. Blobs of a directory are not looked at: they are checked where they arrive.
 * @throws KeelsonError BUNDLE: not there, corrupt, or not signed as asked
 */
export async function openBundle(path: string, options: OpenBundleOptions): Promise<Bundle> {
  const { cacheDir, keys = [], signal } = options;
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() === true || (found === null && !isArchiveName(path))) {
    const bundle = await loadBundle(path);
    if (keys.length > 0) {
      const papers = await papersOf(bundle);
      checkSignature(papers, papers.signature, keys, path);
    }
    return bundle;
  }
  const head = await readBundleArchive(path, { keys, begin: async () => false });
  const dir = join(cacheDir, 'bundles', 'unpacked', bundleId(head.papers.lock));
  const known = await loadBundle(dir).catch(() => null);
  if (known === null || head.delta !== null) {
    options.onUnpack?.();
    return unpackBundle(path, { dir, keys, signal });
  }
  // The whole file, so that a damaged one is never taken for a good one.
  if (options.quick !== true) await readBundleArchive(path, { keys, signal });
  return known;
}

/** True for names of archives and of their first parts; anything else that is not there is a missing directory. */
export function isArchiveName(path: string): boolean {
  return /\.tar(?:\.\d{3})?$/.test(path);
}
