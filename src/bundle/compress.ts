import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile, type Output } from './cache.js';
import { run } from './run.js';

/**
 * Go binaries shrink to a quarter, at a level whose output takes a hundred milliseconds to unpack: a layer that
 * is sent to many hosts costs every one of them less, not more.
 */
const LEVEL = 10;

/** A compressed layer; `diffId` is the sha256 of the tar inside, which an image's configuration names. */
export type CompressedLayer = Output & { diffId: string };

/** Compresses a layer into the cache, or finds it there; the name has both digests. */
export async function compressLayer(layer: Output, cacheDir: string): Promise<CompressedLayer> {
  const folder = join(cacheDir, 'layers');
  await mkdir(folder, { recursive: true });
  const prefix = `${layer.sha256}-zstd${LEVEL}-`;
  for (const name of await readdir(folder)) {
    const sha256 = name.startsWith(prefix) ? /-([0-9a-f]{64})\.tar\.zst$/.exec(name)?.[1] : undefined;
    if (sha256 === undefined) continue;
    const file = join(folder, name);
    return { file, sha256, size: (await stat(file)).size, diffId: layer.sha256 };
  }
  const temporary = join(folder, `.tmp-${process.pid}-${layer.sha256.slice(0, 20)}`);
  try {
    await run('zstd', ['--quiet', '--force', `-${LEVEL}`, '--no-progress', layer.file, '-o', temporary], {
      hint: 'install zstd; on Debian: apt-get install --yes zstd',
    });
    const { sha256, size } = await hashFile(temporary);
    const file = join(folder, `${prefix}${sha256}.tar.zst`);
    await rename(temporary, file);
    return { file, sha256, size, diffId: layer.sha256 };
  } finally {
    await rm(temporary, { force: true });
  }
}
