import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Output } from '../cache.js';

/** Files of an archive by their names in it; links are followed. */
export type Unpacked = (name: string) => Output | undefined;

/**
 * Unpacks a tar archive, gzipped or not, into a folder, under names of its own: what the archive calls its files is
 * never a path here.
 * @throws KeelsonError BUNDLE for what is no tar archive
 */
export async function unpackArchive(archive: string, into: string, signal?: AbortSignal): Promise<Unpacked> {
  const files = new Map<string, Output>();
  const links = new Map<string, string>();
  const tar = extract();
  const zipped = await isGzip(archive);
  const source = createReadStream(archive, { highWaterMark: 1 << 20 });
  const options = signal === undefined ? {} : { signal };
  const reading = zipped ? pipeline(source, createGunzip(), tar, options) : pipeline(source, tar, options);
  // Reported below; it must not count as unhandled before.
  reading.catch(() => undefined);
  try {
    for await (const entry of tar) {
      const { name: raw, type, linkname } = entry.header;
      const name = posix.normalize(raw);
      if (type === 'file') files.set(name, await writeEntry(entry, join(into, String(files.size))));
      else {
        if (type === 'symlink' && typeof linkname === 'string')
          links.set(name, posix.join(posix.dirname(name), linkname));
        if (type === 'link' && typeof linkname === 'string') links.set(name, posix.normalize(linkname));
        entry.resume();
      }
    }
    await reading;
  } catch (cause) {
    signal?.throwIfAborted();
    throw new KeelsonError('BUNDLE', `${archive}: can't be unpacked: ${(cause as Error).message}`, {
      cause,
      hint: 'name an archive of `docker save`, `podman save`, `skopeo copy` or `ctr images export`',
    });
  }
  return (name) => files.get(links.get(name) ?? name) ?? files.get(name);
}

async function writeEntry(entry: AsyncIterable<unknown>, file: string): Promise<Output> {
  const hash = createHash('sha256');
  let size = 0;
  await pipeline(
    entry,
    async function* (chunks: AsyncIterable<unknown>) {
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(file),
  );
  return { file, sha256: hash.digest('hex'), size };
}

async function isGzip(file: string): Promise<boolean> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file);
  } catch (cause) {
    throw new KeelsonError('BUNDLE', `${file}: can't be read`, { cause, hint: 'name an archive of images' });
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b;
  } finally {
    await handle.close();
  }
}
