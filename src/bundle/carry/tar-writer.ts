import { createHash } from 'node:crypto';
import { KeelsonError } from '../../errors/keelson-error.js';
import { END, padding, TRAILER, tarHeader } from './tar-record.js';

export interface TarWriter {
  add: (name: string, content: Buffer | { size: number; chunks: AsyncIterable<Buffer> }) => Promise<void>;
  /** Writes the digest and the end. @returns sha256, in hex, of everything before */
  end: () => Promise<string>;
}

/** Writes an archive: the same entries give the same bytes. */
export function tarWriter(write: (bytes: Buffer) => Promise<void>): TarWriter {
  const hash = createHash('sha256');
  const hashed = async (bytes: Buffer) => {
    hash.update(bytes);
    await write(bytes);
  };
  return {
    add: async (name, content) => {
      const size = Buffer.isBuffer(content) ? content.length : content.size;
      await hashed(tarHeader({ name, size }));
      let written = 0;
      for await (const bytes of Buffer.isBuffer(content) ? [content] : content.chunks) {
        written += bytes.length;
        await hashed(bytes);
      }
      if (written !== size)
        throw new KeelsonError('BUNDLE', `${name} has ${written} bytes instead of ${size}`, {
          hint: 'check the bundle with `keelson bundle verify`',
        });
      await hashed(padding(size));
    },
    end: async () => {
      const digest = hash.digest('hex');
      const trailer = Buffer.from(`${digest}\n`);
      await write(Buffer.concat([tarHeader({ name: TRAILER, size: trailer.length }), trailer]));
      await write(Buffer.concat([padding(trailer.length), END]));
      return digest;
    },
  };
}
