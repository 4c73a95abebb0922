import { createPatch } from 'diff';
import { redact } from '../errors/redaction.js';
import type { FileState, ReadResult } from '../host/types.js';
import type { FileChange } from './types.js';

export interface DesiredFile {
  path: string;
  text: string;
  mode: number;
  dirMode?: number;
}

/** Unified diff of two texts with secrets masked; '' when they are equal. */
export function unifiedDiff(path: string, before: string, after: string): string {
  if (before === after) return '';
  const patch = createPatch(path, redact(before), redact(after), undefined, undefined, { context: 3 });
  return patch.split('\n').slice(2).join('\n');
}

/** The change that makes `desired` stand on a host, or null where it stands already. */
export function fileChange(desired: DesiredFile, seen: ReadResult): FileChange | null {
  const state = seen.files.get(desired.path);
  const content = { kind: 'text', text: desired.text } as const;
  const base = {
    kind: 'file',
    path: desired.path,
    mode: desired.mode,
    content,
    ...(desired.dirMode === undefined ? {} : { dirMode: desired.dirMode }),
  } as const;
  if (state === undefined || state.type === 'missing') {
    return {
      ...base,
      op: 'create',
      diff: unifiedDiff(desired.path, '', desired.text),
      reason: `${desired.path} is missing`,
    };
  }
  const before = state.content?.toString('utf8') ?? '';
  if (before !== desired.text) {
    return {
      ...base,
      op: 'update',
      diff: unifiedDiff(desired.path, before, desired.text),
      reason: `${desired.path} differs`,
    };
  }
  const wrongMode = modeDrift(state, desired.mode);
  return wrongMode === null
    ? null
    : { ...base, op: 'update', diff: '', reason: `${desired.path} ${wrongMode}` };
}

/** "has mode 644 instead of 600", or null where mode and type are right. */
export function modeDrift(state: FileState, mode: number): string | null {
  if (state.type !== 'file') return `is a ${state.type} instead of a file`;
  if (state.mode !== mode) return `has mode ${state.mode.toString(8)} instead of ${mode.toString(8)}`;
  if (state.owner !== 'root:root') return `belongs to ${state.owner} instead of root:root`;
  return null;
}
