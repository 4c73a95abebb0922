import { createHash } from 'node:crypto';
import { KeelsonError } from '../../errors/keelson-error.js';

/**
 * The same chunks, which end in an error unless they are what the digest says: no more bytes than expected are
 * ever passed on.
 * @param name of the blob's origin, for the error
 */
export async function* verified(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  { sha256, size }: { sha256: string; size: number },
  name: string,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.length;
    if (seen > size) throw corrupt(`${name}: has more than ${size} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (seen !== size) throw corrupt(`${name}: has ${seen} bytes instead of ${size}`);
  const actual = hash.digest('hex');
  if (actual !== sha256) throw corrupt(`${name}: is corrupt: its sha256 is ${actual}, not ${sha256}`);
}

function corrupt(message: string): KeelsonError {
  return new KeelsonError('BUNDLE', message, { hint: 'get the bundle once more from where it was made' });
}
