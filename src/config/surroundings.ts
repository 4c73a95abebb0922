import { isAbsolute, join, resolve } from 'node:path';

/** Where paths of a configuration start from, and what the operator's environment adds. */
export interface Surroundings {
  /** Absolute path of the file; null for text. */
  file: string | null;
  /** Relative paths start here. */
  baseDir: string;
  /** What `~` stands for. */
  homeDir: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** `~` and relative paths made absolute. */
export function absolutePath(path: string, around: Surroundings): string {
  if (path === '~' || path.startsWith('~/')) return join(around.homeDir, path.slice(1));
  return isAbsolute(path) ? path : resolve(around.baseDir, path);
}
