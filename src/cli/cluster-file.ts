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
  const remedy = `write state: absent at ${host} yourself, then run this again`;
  const changed = await rewrite(file, io, remedy, (text) => withHostState(text, host, 'absent', file));
  if (changed) io.stderr.write(`keelson: ${file}: ${host} is now state: absent\n`);
}

/**
 * Writes the cluster file as it is after an upgrade; says so on stderr.
 * @throws CONFIG where it can't be written
 */
export async function writeVersion(file: string, text: string, version: string, io: CliIO): Promise<void> {
  const remedy = `the cluster is at ${version}: write that as kubernetesVersion, and its bundle as spec.bundle`;
  const changed = await rewrite(file, io, remedy, () => text);
  if (changed) io.stderr.write(`keelson: ${file}: kubernetesVersion is now ${version}\n`);
}

/** Replaces the file as a whole; false where its text stays. */
async function rewrite(
  file: string,
  io: CliIO,
  remedy: string,
  edit: (text: string) => string,
): Promise<boolean> {
  try {
    const path = await realpath(resolve(io.cwd, file));
    const before = await readFile(path, 'utf8');
    const text = edit(before);
    if (text === before) return false;
    const { mode } = await stat(path);
    await writeFile(`${path}.new`, text, { mode: mode & 0o777 });
    await rename(`${path}.new`, path);
    return true;
  } catch (cause) {
    if (cause instanceof KeelsonError) throw cause;
    throw new KeelsonError('CONFIG', `${file} can't be written: ${String((cause as Error).message)}`, {
      cause,
      hint: remedy,
    });
  }
}
