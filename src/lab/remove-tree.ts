import { readFile, rm } from 'node:fs/promises';
import { run } from './run.js';

/** Mount points at or below `directory`, deepest first, from the text of /proc/mounts. */
export function mountsBelow(mounts: string, directory: string): string[] {
  return mounts
    .split('\n')
    .map((line) =>
      (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((point) => point === directory || point.startsWith(`${directory}/`))
    .reverse();
}

/**
 * Removes a directory with all in it, after unmounting whatever is mounted there: what lies behind a mount
 * is not ours to delete. A missing directory is no error.
 * @returns mount points that were unmounted
 */
export async function removeTree(directory: string): Promise<string[]> {
  const mounts = mountsBelow(await readFile('/proc/mounts', 'utf8'), directory);
  for (const point of mounts) await run(['umount', point]);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  return mounts;
}
