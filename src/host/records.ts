import { KeelsonError } from '../errors/keelson-error.js';

/** A record of a script's output: a header of words and, where the header says so, that many raw bytes. */
export interface Frame {
  /** Single letter: what the record is about. */
  kind: string;
  /** The rest of the header, as text. */
  head: string;
  payload: Buffer;
}

/**
 * Splits the output of a generated script. A record is a header that ends in NUL; its first letter is the
 * kind. Kinds in upper case end their header with ` <size>` and are followed by that many raw bytes, so that
 * content may hold any bytes. `T` takes everything that follows.
 * Errors: REMOTE_COMMAND for output that is cut off or no record.
 */
export function parseFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(0, at);
    if (end < 0) throw garbled('a header is cut off');
    const header = bytes.toString('utf8', at, end);
    at = end + 1;
    const kind = header.slice(0, 1);
    if (kind === 'T') {
      frames.push({ kind, head: header.slice(2), payload: bytes.subarray(at) });
      return frames;
    }
    if (!/^[A-Za-z](?: |$)/.test(header))
      throw garbled(`unknown record ${JSON.stringify(header.slice(0, 40))}`);
    if (kind === kind.toLowerCase()) {
      frames.push({ kind, head: header.slice(2), payload: Buffer.alloc(0) });
      continue;
    }
    const space = header.lastIndexOf(' ');
    const size = Number(header.slice(space + 1));
    if (!Number.isSafeInteger(size) || size < 0 || at + size > bytes.length)
      throw garbled('a payload is cut off');
    frames.push({ kind, head: header.slice(2, Math.max(2, space)), payload: bytes.subarray(at, at + size) });
    at += size;
  }
  return frames;
}

function garbled(what: string): KeelsonError {
  return new KeelsonError('REMOTE_COMMAND', `the host's answer is garbled: ${what}`, {
    hint: "check that the login shell's start-up files print nothing when there is no terminal",
  });
}
