import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { CliIO } from './command.js';

// What a command writes at its end is looked at before it begins: nobody waits for hosts to hear of a typing error.

export interface OutputRules {
  /** Missing folders are made when it is written. */
  makesFolder?: boolean;
  /** The file must not be there yet. */
  isNew?: boolean;
}

/** The absolute path of a file that can be written. @throws USAGE; CONFLICT for one that has to be new and is there */
export async function outputFile(out: string, io: CliIO, rules: OutputRules = {}): Promise<string> {
  if (out.trim() === '')
    throw new KeelsonError('USAGE', 'the file to write has no name', { hint: 'name one' });
  const file = resolve(io.cwd, out);
  const found = await lookAt(file);
  if (found === null) await requireFolder(dirname(file), rules.makesFolder === true);
  else if (rules.isNew === true)
    throw new KeelsonError('CONFLICT', `${file} is there already, and is left as it is`, {
      hint: 'choose another name or directory',
    });
  else if (found.isDirectory())
    throw new KeelsonError('USAGE', `${file} is a directory`, { hint: 'name a file in it' });
  else await requireAccess(file, constants.W_OK);
  return file;
}

/** The absolute path of a directory that files can be written into; it may have to be made. @throws USAGE */
export async function outputDirectory(out: string, io: CliIO): Promise<string> {
  if (out.trim() === '') throw new KeelsonError('USAGE', 'the directory has no name', { hint: 'name one' });
  const directory = resolve(io.cwd, out);
  await requireFolder(directory, true);
  return directory;
}

/** Writes a file that a command was asked for. @throws CONFIG where it can't be written */
export async function writeOutput(file: string, text: string, mode: number): Promise<void> {
  await writeFile(file, text, { mode }).catch((cause: unknown) => {
    throw toKeelsonError(cause, file);
  });
}

async function lookAt(path: string) {
  return stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    if (cause.code === 'ENOTDIR') return null;
    throw new KeelsonError('USAGE', `${path} can't be written`, { cause, hint: OTHER });
  });
}

const OTHER = 'name another path, or see to its rights';

/** With `made` the nearest folder that is there counts. */
async function requireFolder(folder: string, made: boolean): Promise<void> {
  const found = await lookAt(folder);
  if (found === null && made && dirname(folder) !== folder) return requireFolder(dirname(folder), true);
  if (found === null)
    throw new KeelsonError('USAGE', `${folder}: there is no such directory`, {
      hint: 'make it, or name another file',
    });
  if (!found.isDirectory())
    throw new KeelsonError('USAGE', `${folder} is no directory`, { hint: 'name another path' });
  await requireAccess(folder, constants.W_OK | constants.X_OK);
}

async function requireAccess(path: string, mode: number): Promise<void> {
  await access(path, mode).catch((cause: unknown) => {
    throw new KeelsonError('USAGE', `${path} can't be written`, { cause, hint: OTHER });
  });
}
