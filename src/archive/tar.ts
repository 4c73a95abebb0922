import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { type Header, pack } from 'tar-stream';

/** Bytes read at a time from local files: smaller reads halve the throughput. */
const READ_BYTES = 1024 * 1024;
const BLOCK = 512;

/**
 * An entry of a tar stream: a regular file unless its header says otherwise, with what the header leaves out as tar's
 * default. Directories and links have no content.
 */
export interface TarFile {
  header: Partial<Header> & Pick<Header, 'name'>;
  content: Buffer | { file: string; size: number } | { chunks: AsyncIterable<Buffer>; size: number };
}

/**
 * Files as a tar stream. Two buffers are read into in turn: **a chunk is the reader's only until it asks for the
 * next one**, as `ExecOptions.stdin` takes it. Gigabytes of short-lived buffers would cost the garbage collector as
 * much time as their encryption.
 * Errors: what the file system says of `content.file`; content with fewer bytes than `size` is an error too.
 */
export async function* tarStream(files: Iterable<TarFile>): AsyncGenerator<Buffer> {
  const buffers: [Buffer, Buffer] = [Buffer.allocUnsafe(READ_BYTES), Buffer.allocUnsafe(READ_BYTES)];
  for (const { header, content } of files) {
    const size = Buffer.isBuffer(content) ? content.length : content.size;
    yield await headerBlocks({ ...header, size });
    if (Buffer.isBuffer(content)) {
      if (size > 0) yield content;
    } else if ('chunks' in content) yield* exactly(content.chunks, size, header.name);
    else yield* fileChunks(content.file, size, buffers);
    if (size % BLOCK > 0) yield Buffer.alloc(BLOCK - (size % BLOCK));
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** Chunks that are as many bytes as the header says, or an error: the rest of the archive would be lost. */
async function* exactly(chunks: AsyncIterable<Buffer>, size: number, name: string): AsyncGenerator<Buffer> {
  let rest = size;
  for await (const chunk of chunks) {
    rest -= chunk.length;
    yield chunk;
  }
  if (rest !== 0) throw new Error(`${name} has ${size - rest} bytes instead of ${size}`);
}

/** The header's block, after those of the extended header that long names and `pax` records need. */
async function headerBlocks(header: TarFile['header'] & { size: number }): Promise<Buffer> {
  const tar = pack();
  // The archive is never finished: only what an entry begins with is wanted of it.
  const entry = tar.entry({ type: 'file', ...header });
  entry.on('error', () => undefined);
  await once(tar, 'readable');
  const blocks: Buffer[] = [];
  for (let block = tar.read(); block !== null; block = tar.read()) blocks.push(block as Buffer);
  tar.destroy();
  return Buffer.concat(blocks);
}

/** The first `size` bytes of a file; the next piece is read while one is used. */
async function* fileChunks(
  file: string,
  size: number,
  [first, second]: readonly [Buffer, Buffer],
): AsyncGenerator<Buffer> {
  const handle = await open(file);
  let ahead: Promise<number> | undefined;
  try {
    let [current, next] = [first, second];
    ahead = readNext(handle, current, size);
    for (let rest = size; rest > 0; ) {
      const read = await ahead;
      if (read === 0) throw new Error(`${file} ends ${rest} bytes before its size of ${size}`);
      rest -= read;
      ahead = readNext(handle, next, rest);
      yield current.subarray(0, read);
      [current, next] = [next, current];
    }
  } finally {
    // Closed only after the last read ended, whichever way this ends.
    await ahead?.catch(() => undefined);
    await handle.close();
  }
}

async function readNext(handle: FileHandle, buffer: Buffer, rest: number): Promise<number> {
  const wanted = Math.min(buffer.length, rest);
  if (wanted === 0) return 0;
  const { bytesRead } = await handle.read(buffer, 0, wanted);
  return bytesRead;
}
