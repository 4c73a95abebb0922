import { spawn } from 'node:child_process';
import { lstat, mkdtemp, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isDeadHere, lockScripts, refuseLocked, withLock } from '../../../src/workflows/lock.js';
import { clusterOfThree, fakeSession } from './fixture.js';

async function lockPath(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-lock-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'state', 'lock');
}

/** Feeds a script to sh as a host does. */
function sh(script: string, args: readonly string[]): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-s', '--', ...args]);
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout }));
    child.stdin.end(script);
  });
}

const now = () => Math.floor(Date.now() / 1000);

describe('the scripts of the lock', () => {
  it('give it to one of many who ask at once', async () => {
    const path = await lockPath();
    const { acquire } = lockScripts(path);
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => sh(acquire, [`id${i}`, `owner ${i}`, '60'])),
    );
    expect(results.map(({ code }) => code).sort((a, b) => Number(a) - Number(b))).toEqual([
      0,
      ...Array.from({ length: 11 }, () => 75),
    ]);
    const winner = results.findIndex(({ code }) => code === 0);
    expect(await readlink(path)).toMatch(new RegExp(`^id${winner}\\|owner ${winner}\\|\\d+$`));
  });

  it('tell who has it and for how long', async () => {
    const path = await lockPath();
    const { acquire } = lockScripts(path);
    await sh(acquire, ['a', 'ann@desk (apply)', '60']);
    const { code, stdout } = await sh(acquire, ['b', 'bob', '60']);
    expect(code).toBe(75);
    const [id, owner, , left] = stdout.split('|');
    expect([id, owner]).toEqual(['a', 'ann@desk (apply)']);
    expect(Number(left)).toBeGreaterThan(50);
  });

  it('give an expired one to one of many', async () => {
    const path = await lockPath();
    const { acquire, release } = lockScripts(path);
    await sh(acquire, ['old', 'gone', '60']);
    await sh(release, ['old']);
    await symlink(`old|gone|${now() - 5}`, path);
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => sh(acquire, [`id${i}`, 'x', '60'])),
    );
    expect(results.filter(({ code }) => code === 0)).toHaveLength(1);
    expect(await readdir(join(path, '..'))).toEqual(['lock']);
  });

  it('renew it for its holder alone', async () => {
    const path = await lockPath();
    const { acquire, renew } = lockScripts(path);
    await sh(acquire, ['a', 'ann', '1']);
    expect((await sh(renew, ['b', 'bob', '60'])).code).toBe(75);
    expect(await readlink(path)).toMatch(/^a\|ann\|/);
    expect((await sh(renew, ['a', 'ann', '60'])).code).toBe(0);
    expect(Number((await readlink(path)).split('|')[2])).toBeGreaterThan(now() + 50);
  });

  it('release it for its holder alone', async () => {
    const path = await lockPath();
    const { acquire, release } = lockScripts(path);
    await sh(acquire, ['a', 'ann', '60']);
    await sh(release, ['b']);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    await sh(release, ['a']);
    await expect(lstat(path)).rejects.toThrow('ENOENT');
    expect((await sh(acquire, ['b', 'bob', '60'])).code).toBe(0);
  });
});

describe('a lock of a run that was killed', () => {
  it('is taken over by its id, and by no other', async () => {
    const path = await lockPath();
    const { acquire } = lockScripts(path);
    await sh(acquire, ['desk#1#a', 'ann', '60']);
    expect((await sh(acquire, ['b', 'bob', '60', 'desk#2#x'])).code).toBe(75);
    expect((await sh(acquire, ['b', 'bob', '60', 'desk#1#a'])).code).toBe(0);
    expect(await readlink(path)).toMatch(/^b\|bob\|/);
  });

  it('counts as dead only on this computer and when its process is gone', () => {
    expect(isDeadHere(`desk#${process.pid}#a`, 'desk')).toBe(false);
    expect(isDeadHere('desk#4194999#a', 'desk')).toBe(true);
    expect(isDeadHere('desk#4194999#a', 'other')).toBe(false);
    expect(isDeadHere('b1946ac92492', 'desk')).toBe(false);
  });
});

describe('the lock of a cluster with several control planes', () => {
  const scripts = (session: ReturnType<typeof fakeSession>, name: string) =>
    (session.fakes.get(name)?.mutations() ?? []).map(({ what }) => what.split(' ')[0]);
  const held = { code: 75, stdout: `elsewhere#1#a|ann@desk (apply)|${now() + 50}|50` };

  it('is taken on every one that is connected, and given back on all', async () => {
    const session = fakeSession(clusterOfThree());
    await withLock(session, { owner: 'me', run: 'apply' }, async () => {
      expect(scripts(session, 'cp1')).toEqual(['<lock/acquire>']);
      expect(scripts(session, 'cp2')).toEqual(['<lock/acquire>']);
    });
    expect(scripts(session, 'cp2')).toEqual(['<lock/acquire>', '<lock/release>']);
    expect(scripts(session, 'w1')).toEqual([]);
  });

  it('is given back where another run has it on one of them', async () => {
    const session = fakeSession(clusterOfThree());
    session.fakes.get('cp2')?.on(/^<lock\/acquire>/, held);
    const work = async () => {
      throw new Error('has begun');
    };
    await expect(withLock(session, { owner: 'me', run: 'apply' }, work)).rejects.toMatchObject({
      code: 'LOCKED',
      host: 'cp2',
      message: expect.stringContaining('ann@desk (apply)'),
    });
    expect(scripts(session, 'cp1')).toEqual(['<lock/acquire>', '<lock/release>']);
  });

  it('is seen before anything is done, while its holder lives', async () => {
    const session = fakeSession(clusterOfThree());
    await refuseLocked(session);
    session.fakes.get('cp2')?.on('?lock', { stdout: held.stdout });
    await expect(refuseLocked(session)).rejects.toMatchObject({ code: 'LOCKED', host: 'cp2' });
    expect(scripts(session, 'cp1')).toEqual([]);
  });
});
