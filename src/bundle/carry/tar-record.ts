import { KeelsonError } from '../../errors/keelson-error.js';

/** Bytes of a tar record; contents are padded to it. */
export const RECORD = 512;

/** A tar ends with two empty records. */
export const END = Buffer.alloc(2 * RECORD);

/** Last entry of an archive: the sha256 of every byte before it, in hex and with a newline. */
export const TRAILER = 'archive.sha256';
export const TRAILER_BYTES = 65;

const NAME_BYTES = 100;
/** What eleven octal digits hold. */
const MAX_SIZE = 8 ** 11 - 1;

export interface TarRecord {
  /** Relative path of printable ASCII, at most 100 bytes. */
  name: string;
  /** Bytes. */
  size: number;
}

/**
 * A ustar header of a regular file, mode 0644, of root, dated to the epoch. Equal records give equal bytes, so a
 * reader can ask for exactly these.
 */
export function tarHeader({ name, size }: TarRecord): Buffer {
  if (!/^[\x21-\x7e]{1,100}$/.test(name) || size < 0 || size > MAX_SIZE)
    throw new KeelsonError('BUG', `no tar record can have name ${JSON.stringify(name)} and size ${size}`);
  const header = Buffer.alloc(RECORD);
  header.write(name, 0, NAME_BYTES, 'ascii');
  header.write('0000644\0', 100, 'ascii');
  header.write('0000000\0', 108, 'ascii');
  header.write('0000000\0', 116, 'ascii');
  header.write(`${octal(size, 11)}\0`, 124, 'ascii');
  header.write(`${octal(0, 11)}\0`, 136, 'ascii');
  // The checksum counts itself as spaces.
  header.write('        ', 148, 'ascii');
  header.write('0', 156, 'ascii');
  header.write('ustar\x0000', 257, 'ascii');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148, 'ascii');
  return header;
}

/** What a header says, or null where it is not byte for byte one of `tarHeader`. */
export function parseTarHeader(header: Buffer): TarRecord | null {
  const end = header.indexOf(0);
  const name = header.toString('ascii', 0, Math.min(end < 0 ? NAME_BYTES : end, NAME_BYTES));
  const digits = header.toString('ascii', 124, 135);
  if (!/^[0-7]{11}$/.test(digits) || !/^[\x21-\x7e]+$/.test(name)) return null;
  const record = { name, size: Number.parseInt(digits, 8) };
  return tarHeader(record).equals(header) ? record : null;
}

/** Zero bytes that fill the last record of a content. */
export function padding(size: number): Buffer {
  return Buffer.alloc((RECORD - (size % RECORD)) % RECORD);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
