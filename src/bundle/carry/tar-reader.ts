import { createHash } from 'node:crypto';
import { KeelsonError } from '../../errors/keelson-error.js';
import {
  END,
  padding,
  parseTarHeader,
  RECORD,
  type TarRecord,
  TRAILER,
  TRAILER_BYTES,
} from './tar-record.js';

export interface TarReader {
  /** The next entry; null after the last one, when every byte of the archive has been checked. */
  next: () => Promise<TarRecord | null>;
  /** Content of the entry that `next` gave, to be read to its end before `next` is called again. */
  content: () => AsyncGenerator<Buffer>;
  /** Content of a small entry. @throws KeelsonError BUNDLE where it is larger than `limit` bytes */
  bytes: (limit: number) => Promise<Buffer>;
}

/**
 * Reads archives as `tarWriter` writes them, and nothing else: another header, a padding that is not empty, a
 * digest that does not fit, bytes that are missing or too many are errors.
 * @param place name of the archive, for errors
 */
export function tarReader(source: AsyncIterable<Buffer>, place: string): TarReader {
  const hash = createHash('sha256');
  const chunks = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let offset = 0;
  let entry: TarRecord | null = null;
  let open = 0;

  const refuse = (problem: string): KeelsonError =>
    new KeelsonError('BUNDLE', `${place}: ${problem}`, {
      hint: 'copy the bundle once more from where it was made',
    });
  /** Up to `most` bytes; none at the end. */
  const some = async (most: number): Promise<Buffer> => {
    if (held.length === 0) {
      const result = await chunks.next();
      if (result.done === true) return held;
      held = result.value;
      if (held.length === 0) return some(most);
    }
    const bytes = held.subarray(0, most);
    held = held.subarray(bytes.length);
    offset += bytes.length;
    return bytes;
  };
  const exactly = async (count: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      const bytes = await some(missing);
      if (bytes.length === 0) throw refuse(`ends after ${offset} bytes: it is not complete`);
      parts.push(bytes);
      missing -= bytes.length;
    }
    return Buffer.concat(parts);
  };
  const finish = async (): Promise<null> => {
    const expected = Buffer.from(`${hash.digest('hex')}\n`);
    if (!(await exactly(TRAILER_BYTES)).equals(expected))
      throw refuse('is corrupt: its sha256 is not the one that it ends with');
    const rest = Buffer.concat([padding(TRAILER_BYTES), END]);
    if (!(await exactly(rest.length)).equals(rest) || (await some(1)).length > 0)
      throw refuse('is corrupt: there is something behind its end');
    return null;
  };

  return {
    next: async () => {
      if (open > 0) throw new KeelsonError('BUG', `${entry?.name} was not read to its end`);
      const at = offset;
      const header = await exactly(RECORD);
      entry = parseTarHeader(header);
      if (entry === null) throw refuse(`is corrupt or no bundle: no entry begins at byte ${at}`);
      if (entry.name === TRAILER && entry.size === TRAILER_BYTES) return finish();
      hash.update(header);
      open = entry.size;
      return entry;
    },
    content: async function* () {
      const { name, size } = entry ?? { name: '', size: 0 };
      while (open > 0) {
        const bytes = await some(open);
        if (bytes.length === 0) throw refuse(`ends within ${name}: it is not complete`);
        open -= bytes.length;
        hash.update(bytes);
        yield bytes;
      }
      const fill = await exactly(padding(size).length);
      if (fill.some((byte) => byte !== 0)) throw refuse(`is corrupt: ${name} is not padded with zeros`);
      hash.update(fill);
    },
    bytes: async function (limit) {
      if (open > limit) throw refuse(`${entry?.name} has ${open} bytes, which is too much`);
      const parts: Buffer[] = [];
      for await (const bytes of this.content()) parts.push(bytes);
      return Buffer.concat(parts);
    },
  };
}
