import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeelsonError } from '../../errors/keelson-error.js';

const READ_BYTES = 1 << 20;

const partName = (file: string, number: number) => `${file}.${String(number).padStart(3, '0')}`;

/** `bundle.tar` for `bundle.tar.001`; any other path as it is. */
function wholeName(file: string): string {
  return file.replace(/\.\d{3}$/, '');
}

/**
 * The files that an archive on this machine consists of, in order: itself, or its parts `.001`, `.002`, … beside it.
 * @throws KeelsonError BUNDLE where there is none, or where one is missing in between
 */
export async function partsOf(file: string): Promise<string[]> {
  const found = await stat(file).catch(() => null);
  if (found?.isFile() && wholeName(file) === file) return [file];
  const whole = wholeName(file);
  const names = (await readdir(dirname(whole)).catch(() => [])).filter(
    (name) => wholeName(name) === basename(whole) && name !== basename(whole),
  );
  if (names.length === 0)
    throw new KeelsonError('BUNDLE', `${file}: there is no bundle`, {
      hint: 'name a file that `keelson bundle export` has written, or all its parts in one directory',
    });
  const parts = names.map((_name, index) => partName(whole, index + 1));
  const missing = parts.filter((part) => !names.includes(basename(part)));
  if (missing.length > 0)
    throw new KeelsonError('BUNDLE', `${missing.join(', ')}: this part is missing`, {
      hint: 'copy all parts into one directory',
    });
  return parts;
}

/** The bytes of an archive, over all of its parts. */
export async function* readParts(parts: readonly string[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    for await (const chunk of createReadStream(part, { highWaterMark: READ_BYTES })) yield chunk as Buffer;
  }
}

export interface PartsWriter {
  write: (bytes: Buffer) => Promise<void>;
  /** Puts everything in place and removes what an earlier archive of that name leaves over. */
  finish: () => Promise<string[]>;
  /** Removes what was written so far. */
  discard: () => Promise<void>;
}

/**
 * Writes an archive to temporaries beside it.
 * @param partBytes most bytes of a part; without it there is one file
 */
export function writeParts(file: string, partBytes?: number): PartsWriter {
  const written: { temporary: string; name: string }[] = [];
  let current: FileHandle | null = null;
  let room = 0;
  const next = async () => {
    await current?.close();
    const name = partBytes === undefined ? file : partName(file, written.length + 1);
    const temporary = `${name}.tmp-${process.pid}`;
    current = await open(temporary, 'w', 0o644);
    written.push({ temporary, name });
    room = partBytes ?? Number.POSITIVE_INFINITY;
    return current;
  };
  return {
    write: async (bytes) => {
      let rest = bytes;
      while (rest.length > 0) {
        const handle = current === null || room === 0 ? await next() : current;
        const now = rest.subarray(0, Math.min(room, rest.length));
        await handle.write(now);
        room -= now.length;
        rest = rest.subarray(now.length);
      }
    },
    finish: async () => {
      await current?.sync();
      await current?.close();
      current = null;
      for (const { temporary, name } of written) await rename(temporary, name);
      const kept = written.map(({ name }) => basename(name));
      for (const name of await readdir(dirname(file))) {
        const ours =
          name === basename(file) || (wholeName(name) === basename(file) && name !== wholeName(name));
        if (ours && !kept.includes(name)) await rm(join(dirname(file), name), { force: true });
      }
      return written.map(({ name }) => name);
    },
    discard: async () => {
      await current?.close();
      for (const { temporary } of written) await rm(temporary, { force: true });
    },
  };
}
