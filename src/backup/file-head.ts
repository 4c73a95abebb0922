import { open, stat } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';

const HEAD_BYTES = 64;

export interface FileHead {
  /** The first bytes. */
  head: Buffer;
  size: number;
  mtimeMs: number;
}

/**
 * How a file of the operator's begins.
 * @param what it should be, for the hint: `snapshot`
 * @throws USAGE for what is no file or can't be read
 */
export async function fileHead(file: string, what: string): Promise<FileHead> {
  const hint = `name a ${what} file`;
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(file);
    if (found.isFile()) {
      const handle = await open(file, 'r');
      try {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
        return { head: buffer.subarray(0, bytesRead), size: found.size, mtimeMs: found.mtimeMs };
      } finally {
        await handle.close();
      }
    }
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new KeelsonError('USAGE', `${file} ${missing ? 'is not there' : "can't be read"}`, { cause, hint });
  }
  throw new KeelsonError('USAGE', `${file} is ${found.isDirectory() ? 'a directory' : 'no file'}`, { hint });
}
