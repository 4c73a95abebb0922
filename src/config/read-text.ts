import { open } from 'node:fs/promises';
import { type ErrorCode, KeelsonError } from '../errors/keelson-error.js';

const MEBIBYTE = 1024 * 1024;

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'is a directory',
  EACCES: 'can’t be read: permission denied',
  ELOOP: 'symbolic links lead in a circle',
};

/**
 * Text of a file that a person named, which may be anything: a directory, a device without an end, a disk image.
 * Pipes are read too.
 * @param mostBytes more is refused
 * @param refusal code and hint of the error where it can't be read or is no text
 */
export async function readText(
  path: string,
  mostBytes: number,
  refusal: { code: ErrorCode; hint: string },
): Promise<string> {
  const refused = (what: string, cause?: unknown) =>
    new KeelsonError(refusal.code, `${path}: ${what}`, { cause, hint: refusal.hint });
  try {
    const handle = await open(path, 'r');
    try {
      const chunks: Buffer[] = [];
      for (let size = 0; ; ) {
        const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(64 * 1024), position: null });
        if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8');
        size += bytesRead;
        const chunk = buffer.subarray(0, bytesRead);
        if (chunk.includes(0)) throw refused('is no text');
        if (size > mostBytes) throw refused(`is bigger than ${Math.floor(mostBytes / MEBIBYTE)} MiB`);
        chunks.push(chunk);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof KeelsonError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw refused(WORDS[code ?? ''] ?? message, error);
  }
}
