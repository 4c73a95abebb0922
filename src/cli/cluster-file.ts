import { readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { withHostState } from '../config/edit.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { CliIO } from './command.js';

/**
 * Writes `state: absent` at a host of the cluster file, so that whatever interrupts what follows, an apply goes on
 * in the same direction; says so on stderr. Does nothing where it stands there already.
 * @throws CONFIG where the file can't be written
 */
export async function writeTombstone(file: string, host: string, io: CliIO): Promise<void> {
  try {
    const path = await realpath(resolve(io.cwd, file));
    const before = await readFile(path, 'utf8');
    const text = withHostState(before, host, 'absent', file);
    if (text === before) return;
    const { mode } = await stat(path);
    await writeFile(`${path}.new`, text, { mode: mode & 0o777 });
    await rename(`${path}.new`, path);
  } catch (cause) {
    if (cause instanceof KeelsonError) throw cause;
    throw new KeelsonError('CONFIG', `${file} can't be written: ${String((cause as Error).message)}`, {
      cause,
      hint: `write state: absent at ${host} yourself, then run this again`,
    });
  }
  io.stderr.write(`keelson: ${file}: ${host} is now state: absent\n`);
}
