/** What this machine's file system refuses, in words, and what to do about it. */
const REFUSALS: Readonly<Record<string, { what: string; hint: string }>> = {
  ENOSPC: { what: 'there is no space left', hint: 'make room there, or name another path' },
  EDQUOT: { what: 'the disk quota is used up', hint: 'make room there, or name another path' },
  EACCES: { what: 'permission denied', hint: 'see to its rights, or name another path' },
  EPERM: { what: 'not permitted', hint: 'see to its rights, or name another path' },
  EROFS: { what: 'the file system is read-only', hint: 'name another path' },
  EISDIR: { what: 'is a directory', hint: 'name a file' },
  ENOTDIR: { what: 'a part of the path is no directory', hint: 'name another path' },
  ENAMETOOLONG: { what: 'the name is too long', hint: 'name another path' },
  ELOOP: { what: 'symbolic links lead in a circle', hint: 'name another path' },
  EFBIG: { what: 'the file is too big', hint: 'name another path' },
  EIO: { what: 'the device reports an error', hint: 'look at this machine’s kernel log' },
  EMFILE: { what: 'too many open files', hint: 'raise the limit: ulimit -n 4096' },
  ENFILE: { what: 'too many open files on this machine', hint: 'end other programs, or raise fs.file-max' },
};

/** Failures of these calls are about a network or a program, not about a file. */
const OTHERS = /^(spawn|connect|listen|bind|kill)/;

/**
 * What this machine's file system refused, as message and remedy.
 * @param path the file, where the error itself does not name it
 * @returns null for anything else
 */
export function fileRefusal(thrown: unknown, path?: string): { message: string; hint: string } | null {
  if (!(thrown instanceof Error)) return null;
  const { code, syscall, path: named } = thrown as NodeJS.ErrnoException;
  const refusal = REFUSALS[code ?? ''];
  if (refusal === undefined || syscall === undefined || OTHERS.test(syscall)) return null;
  const { what, hint } = refusal;
  return { message: `${path ?? named ?? 'a file of this machine'}: ${what}`, hint };
}
