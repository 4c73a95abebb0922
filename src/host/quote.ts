const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * One word for a POSIX shell. The only place where anything is quoted for a shell.
 * @throws TypeError for NUL, which no argv can hold
 */
export function quoteWord(word: string): string {
  if (word.includes('\0')) throw new TypeError('an argument cannot contain NUL');
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** An argv as one POSIX shell command line; every word reaches the program byte for byte. */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}

/**
 * A script that runs whole or not at all: a shell reads a group to its end before it runs any of it, so that a
 * connection which breaks in the middle leaves no half of a command behind.
 */
export function allOrNothing(script: string): string {
  return `{\n${script}\n}\n`;
}
