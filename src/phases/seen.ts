import type { ReadResult } from '../host/types.js';

/** True where something stands at a path that was asked for. */
export function exists(seen: ReadResult, path: string): boolean {
  return (seen.files.get(path)?.type ?? 'missing') !== 'missing';
}
