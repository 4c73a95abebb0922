import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';

/**
 * Writes a file of mode 0600 that is there as a whole or not at all, and never in place of another. `source` is
 * read to its end before the name appears; what it throws leaves nothing behind.
 * @returns bytes written
 * @throws CONFLICT where there is such a file; CONFIG where the directory can't be written
 */
export async function writeNew(path: string, source: AsyncIterable<Buffer>): Promise<number> {
  const directory = dirname(path);
  const partial = join(directory, `.${basename(path)}.${randomBytes(4).toString('hex')}.partial`);
  const handle = await openPartial(directory, partial);
  try {
    let written = 0;
    try {
      for await (const chunk of source) {
        await handle.writeFile(chunk);
        written += chunk.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(partial, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
      throw new KeelsonError('CONFLICT', `${path} is there already, and is left as it is`, {
        hint: 'choose another name or directory',
      });
    });
    await syncDirectory(directory);
    return written;
  } catch (error) {
    throw asWriteError(error, path);
  } finally {
    await rm(partial, { force: true });
  }
}

async function openPartial(directory: string, partial: string) {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return await open(partial, 'wx', 0o600);
  } catch (error) {
    throw asWriteError(error, directory);
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function asWriteError(error: unknown, path: string): unknown {
  const code =
    error instanceof Error && !(error instanceof KeelsonError) && 'code' in error ? error.code : null;
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error;
  return new KeelsonError('CONFIG', `${path} can't be written: ${code}`, {
    cause: error,
    hint: code === 'ENOSPC' ? 'make room, or choose another directory' : 'check the directory and its rights',
  });
}
