const MARK = /keelson-begin:(\d+)\n/;
/** Longest mark: its text, ten digits, and the end of the line. */
const MARK_BYTES = 32;
/** So much of what comes before the mark is kept. */
const KEPT_BYTES = 4096;

/**
 * Announces a command on stdout by its pid and becomes it. sshd makes each command a session leader, so the pid names
 * a process group; the protocol's own signal request does not work for root and closing the channel kills nothing.
 * What stands before the mark was printed by the login shell or its start-up files and is not the command's.
 */
export const WITH_MARK = 'echo "keelson-begin:$$"; exec "$@"';

/** Where a command's own output begins. */
export interface Beginning {
  add(chunk: Buffer): void;
  /** Pid of the command; undefined until it began. */
  pid(): string | undefined;
  /** What was printed before, cut to its first 4 KiB. */
  before(): string;
}

/** @param onOutput gets the command's own output */
export function findBeginning(onOutput: (chunk: Buffer) => void): Beginning {
  let pid: string | undefined;
  let first: Buffer = Buffer.alloc(0);
  let pending: Buffer = Buffer.alloc(0);
  return {
    add: (chunk) => {
      if (pid !== undefined) return onOutput(chunk);
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const found = MARK.exec(pending.toString('latin1'));
      const end = found === null ? Math.max(0, pending.length - MARK_BYTES) : found.index;
      if (first.length < KEPT_BYTES)
        first = Buffer.concat([first, pending.subarray(0, Math.min(end, KEPT_BYTES - first.length))]);
      if (found === null) {
        pending = Buffer.from(pending.subarray(end));
        return;
      }
      pid = found[1];
      const rest = pending.subarray(found.index + found[0].length);
      pending = Buffer.alloc(0);
      if (rest.length > 0) onOutput(rest);
    },
    pid: () => pid,
    before: () =>
      Buffer.concat(pid === undefined ? [first, pending] : [first])
        .toString('utf8')
        .trim(),
  };
}
