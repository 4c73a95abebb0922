import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { keptAs, PUT_AWAY, SETTLE } from '../../../../src/workflows/etcd/data-directory.js';
import { WORK_DIR } from '../../../../src/workflows/etcd/survey.js';
import { folder } from '../../backup/fixtures.js';

const sh = (script: string, ...args: string[]) => execa('sh', ['-s', '--', ...args], { input: script });

/** A data directory with an old member, and a new one in the making. */
async function dataDirectory(parts: { member: boolean; ready: boolean }): Promise<string> {
  const directory = await folder();
  const fresh = join(directory, WORK_DIR, 'data', 'member');
  await mkdir(fresh, { recursive: true });
  await writeFile(join(fresh, 'which'), 'new');
  if (parts.ready) await writeFile(join(directory, WORK_DIR, 'ready'), '');
  if (parts.member) {
    await mkdir(join(directory, 'member'));
    await writeFile(join(directory, 'member', 'which'), 'old');
  }
  return directory;
}

describe('the name for old data', () => {
  it('has what was done and when', () => {
    expect(keptAs('/var/lib/etcd', 'restore', Date.UTC(2026, 10, 23, 14, 38, 6))).toBe(
      '/var/lib/etcd/member.before-restore-20261123T143806Z',
    );
  });
});

describe('an exchange that was cut off', () => {
  it('between its two moves is ended', async () => {
    const directory = await dataDirectory({ member: false, ready: true });
    await sh(SETTLE, directory);
    expect(await readdir(directory)).toEqual(['member']);
    expect(await readFile(join(directory, 'member', 'which'), 'utf8')).toBe('new');
  });

  it.each([
    ['before the first move', { member: true, ready: true }],
    ['while the new data was still being made', { member: false, ready: false }],
  ])('%s leaves everything as it is', async (_, parts) => {
    const directory = await dataDirectory(parts);
    const before = await readdir(directory);
    await sh(SETTLE, directory);
    expect(await readdir(directory)).toEqual(before);
  });
});

describe('putting a member’s data away', () => {
  it('keeps it under another name, and is safe to repeat', async () => {
    const directory = await dataDirectory({ member: true, ready: false });
    for (let run = 0; run < 2; run += 1) await sh(PUT_AWAY, directory, join(directory, 'member.before'));
    expect(await readdir(directory)).toEqual(['member.before']);
    expect(await readFile(join(directory, 'member.before', 'which'), 'utf8')).toBe('old');
  });

  it('of a host without a data directory does nothing', async () => {
    await sh(PUT_AWAY, '/nowhere/at/all', '/nowhere/else');
  });
});
