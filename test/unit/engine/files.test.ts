import { describe, expect, it } from 'vitest';
import { fileChange, unifiedDiff } from '../../../src/engine/files.js';
import type { FileState } from '../../../src/host/types.js';

const desired = { path: '/etc/x', text: 'a\nb\n', mode: 0o600 };

function change(state?: Partial<FileState>) {
  const found: FileState = {
    path: '/etc/x',
    type: 'file',
    mode: 0o600,
    owner: 'root:root',
    size: 4,
    mtime: '1',
    content: Buffer.from('a\nb\n'),
    ...state,
  };
  const files = new Map(state === undefined ? [] : [['/etc/x', found]]);
  return fileChange(desired, { files, units: new Map(), probes: new Map() });
}

describe('fileChange', () => {
  it('is nothing where the file stands', () => expect(change({})).toBeNull());

  it('creates what is missing', () => {
    expect(change()).toMatchObject({ op: 'create', reason: '/etc/x is missing' });
    expect(change({ type: 'missing' })).toMatchObject({ op: 'create' });
  });

  it('updates other content and shows how it differs', () => {
    const update = change({ content: Buffer.from('a\nc\n') });
    expect(update).toMatchObject({ op: 'update', reason: '/etc/x differs' });
    expect(update?.diff).toContain('-c\n+b');
  });

  it.each([
    [{ mode: 0o644 }, 'has mode 644 instead of 600'],
    [{ owner: 'joe:joe' }, 'belongs to joe:joe instead of root:root'],
    [{ type: 'symlink' as const }, 'is a symlink instead of a file'],
  ])('updates a file of equal text that %o', (state, reason) => {
    expect(change(state)).toMatchObject({ op: 'update', reason: `/etc/x ${reason}` });
  });
});

describe('unifiedDiff', () => {
  it('is empty for equal texts', () => expect(unifiedDiff('/x', 'a', 'a')).toBe(''));

  it('masks secrets on both sides', () => {
    const before = 'replicas: 1\ntoken: abcdef.0123456789abcdef\n';
    const diff = unifiedDiff('/x', before, 'replicas: 2\ntoken: ghijkl.fedcba9876543210\n');
    expect(diff).not.toMatch(/0123456789abcdef|fedcba9876543210/);
    expect(diff).toContain('<redacted>');
  });
});
