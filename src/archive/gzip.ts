import { once } from 'node:events';
import { createGzip } from 'node:zlib';

/** Level of zlib: the quickest one, which still makes programs less than half as large. */
const LEVEL = 1;

/** A stream as gzip. A chunk of `source` is taken whole before the next one is asked for. */
export async function* gzipped(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gzip = createGzip({ level: LEVEL, chunkSize: 256 * 1024 });
  const feeding = (async () => {
    for await (const chunk of source)
      await new Promise<void>((resolve, reject) =>
        gzip.write(chunk, (error) => (error ? reject(error) : resolve())),
      );
    gzip.end();
  })();
  feeding.catch((error: Error) => gzip.destroy(error));
  try {
    for await (const chunk of gzip) yield chunk as Buffer;
    await feeding;
  } finally {
    // Whoever stops reading early ends the source too.
    if (!gzip.destroyed) {
      gzip.destroy();
      await once(gzip, 'close').catch(() => undefined);
    }
  }
}
