import { chmod, copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, blobPath } from '../../bundle/bundle.js';
import { hashFile } from '../../bundle/cache.js';
import { type Architecture, locksByArchitecture } from '../../bundle/lock.js';
import { KeelsonError } from '../../errors/keelson-error.js';

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * A program of a bundle as something that can be run here: a copy in the cache, its digest checked.
 * @returns null where the bundle has none for this machine, or is a file that nobody has unpacked
 * @throws BUNDLE for one that is not what the lock says
 */
export async function bundleProgram(
  bundle: Bundle,
  name: 'helm' | 'kubectl',
  cacheDir: string,
): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  const program = locksByArchitecture(bundle.lock)
    .filter(({ architecture }) => architecture === ARCHITECTURES[process.arch])
    .flatMap(({ files, tools = [] }) => [...files, ...tools])
    .find((one) => one.name === name);
  if (program === undefined) return null;
  const folder = join(cacheDir, 'tools');
  const target = join(folder, `${program.name}-${program.sha256.slice(0, 20)}`);
  const found = await stat(target).catch(() => null);
  if (found?.size === program.size) return target;
  const source = blobPath(bundle, program.sha256);
  if ((await stat(source).catch(() => null)) === null) return null;
  await mkdir(folder, { recursive: true });
  const temporary = `${target}.tmp-${process.pid}`;
  try {
    await copyFile(source, temporary);
    if ((await hashFile(temporary)).sha256 !== program.sha256)
      throw new KeelsonError('BUNDLE', `${source}: is not the ${program.name} that the lock names`, {
        hint: 'check the bundle with `keelson bundle verify`, and build or copy it again',
      });
    await chmod(temporary, 0o755);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
  return target;
}
