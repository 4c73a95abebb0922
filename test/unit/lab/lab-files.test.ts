import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { basePath, dropAbandonedBuilds } from '../../../src/lab/base.js';
import { raiseInotifyLimits } from '../../../src/lab/host-limits.js';
import { keyPair, knownHostsText } from '../../../src/lab/keys.js';
import { withLabLock } from '../../../src/lab/lock.js';
import { labTag } from '../../../src/lab/names.js';
import { labSshCommand, sshArgv } from '../../../src/lab/ssh.js';
import { readState, requireNode, requireOwnTag, writeState } from '../../../src/lab/state.js';
import { missingLabTools } from '../../../src/lab/tools.js';
import type { LabNode, LabState } from '../../../src/lab/types.js';
import { waitUntil } from '../../../src/lab/wait.js';

const scratch = () => mkdtemp(join(tmpdir(), 'keelson-'));
const cp1: LabNode = {
  name: 'cp1',
  role: 'control-plane',
  address: '10.88.0.11',
  machineId: '0'.repeat(32),
};
const stateOf = (name: string): LabState => ({
  version: 1,
  name,
  directory: `/home/me/.keelson/lab/${name}`,
  subnet: '10.88.0.0/24',
  base: '/base',
  nodes: [cp1],
});

describe('state of a lab', () => {
  it('is read back as written, private to root', async () => {
    const root = await scratch();
    await writeState(root, stateOf('lab'));
    expect(await readState(root, 'lab')).toEqual(stateOf('lab'));
    expect((await stat(join(root, 'lab'))).mode & 0o777).toBe(0o700);
  });

  it('counts as none where a crash left half of it', async () => {
    const root = await scratch();
    await mkdir(join(root, 'lab'));
    await writeFile(join(root, 'lab/lab.json'), '{"version":1,"na');
    expect(await readState(root, 'lab')).toBeNull();
    expect(await readState(root, 'other')).toBeNull();
  });

  it('knows its nodes by name', () => {
    expect(requireNode(stateOf('lab'), 'cp1')).toBe(cp1);
    expect(() => requireNode(stateOf('lab'), 'w9')).toThrow(
      expect.objectContaining({ code: 'LAB', hint: 'its nodes are cp1' }),
    );
  });

  it('lets labs with different interface names stand side by side', async () => {
    const root = await scratch();
    await writeState(root, stateOf('lab'));
    await expect(requireOwnTag(root, 'demo')).resolves.toBeUndefined();
    await expect(requireOwnTag(root, 'lab')).resolves.toBeUndefined();
  });

  it('is refused to a lab whose interfaces would have the names of another', async () => {
    const root = await scratch();
    await writeState(root, stateOf('lab'));
    let twin = 'lab-0';
    for (let i = 1; labTag(twin) !== labTag('lab') && i < 1_000_000; i++) twin = `lab-${i}`;
    await expect(requireOwnTag(root, twin)).rejects.toMatchObject({ code: 'LAB' });
  });

  it('is changed by one process at a time, and a lock without owner is none', async () => {
    const root = join(await scratch(), 'labs');
    const inner = withLabLock(root, 'lab', () => withLabLock(root, 'lab', async () => 'never'));
    await expect(inner).rejects.toMatchObject({ code: 'LOCKED' });
    await expect(stat(root)).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(root);
    await writeFile(join(root, 'lab.lock'), '99999999 1');
    expect(await withLabLock(root, 'lab', async () => 'done')).toBe('done');
  });
});

describe('ssh to a lab', () => {
  it('uses the key and known_hosts of the lab and nothing of the user', () => {
    const argv = sshArgv('/d/lab', cp1, ['sh', '-c', 'echo "$HOME"']);
    expect(argv.slice(0, 5)).toEqual(['ssh', '-F', '/dev/null', '-i', '/d/lab/id_ed25519']);
    expect(argv).toContain('UserKnownHostsFile=/d/lab/known_hosts');
    expect(argv).toContain('StrictHostKeyChecking=yes');
    expect(argv.slice(-3)).toEqual(['root@10.88.0.11', '--', `sh -c 'echo "$HOME"'`]);
  });

  it('is a login shell without a command', () => {
    expect(sshArgv('/d/lab', cp1).at(-1)).toBe('root@10.88.0.11');
  });

  it('finds the node by name and says when there is no such lab', async () => {
    const root = await scratch();
    await writeState(root, stateOf('lab'));
    expect(await labSshCommand('lab', 'cp1', ['true'], { stateRoot: root })).toContain('root@10.88.0.11');
    await expect(labSshCommand('nix', 'cp1', [], { stateRoot: root })).rejects.toMatchObject({ code: 'LAB' });
  });

  it('has known_hosts from keys that were made here', () => {
    const keys = new Map([['cp1', 'ssh-ed25519 AAAAC3Nz cp1\n']]);
    expect(knownHostsText([cp1], keys)).toBe('10.88.0.11 ssh-ed25519 AAAAC3Nz\n');
  });

  it('makes a key once, readable by its owner only', async () => {
    const path = join(await scratch(), 'lab/id_ed25519');
    const pair = await keyPair(path, 'keelson lab');
    expect(pair.privateKey).toContain('OPENSSH PRIVATE KEY');
    expect(pair.publicKey).toMatch(/^ssh-ed25519 \S+ keelson lab\n$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await keyPair(path, 'keelson lab')).toEqual(pair);
  });
});

describe('the computer of a lab', () => {
  it('gets inotify limits raised where they are lower, and is told so', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'max_user_instances'), '128\n');
    await writeFile(join(directory, 'max_user_watches'), '2000000\n');
    expect(await raiseInotifyLimits(directory)).toEqual([
      'raised fs.inotify.max_user_instances from 128 to 8192',
    ]);
    expect(await readFile(join(directory, 'max_user_instances'), 'utf8')).toBe('8192');
    expect(await raiseInotifyLimits(directory)).toEqual([]);
  });

  it('is told which Debian packages it misses', async () => {
    const directory = await scratch();
    const missing = await missingLabTools(directory);
    expect(missing).toContain('debootstrap');
    expect(missing).toContain('systemd-container');
    for (const program of ['debootstrap', 'systemd-nspawn']) {
      await writeFile(join(directory, program), '#!/bin/sh\n', { mode: 0o755 });
    }
    const still = await missingLabTools(directory);
    expect(still).not.toContain('debootstrap');
    expect(still).toContain('iproute2');
  });

  it('loses half-built bases whose builder is gone, and keeps complete ones', async () => {
    const cache = await scratch();
    const base = basePath(cache);
    // Larger than any pid that Linux gives out.
    const abandoned = `${base}.building-99999999`;
    const busy = `${base}.building-1`;
    for (const directory of [base, abandoned, busy]) await mkdir(join(directory, 'etc'), { recursive: true });
    await dropAbandonedBuilds(cache);
    await expect(stat(abandoned)).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await stat(base)).isDirectory()).toBe(true);
    expect((await stat(busy)).isDirectory()).toBe(true);
  });
});

describe('waiting', () => {
  it('ends with the last state seen and the evidence', async () => {
    const waiting = waitUntil(async () => 'still booting', {
      what: 'boot of cp1',
      timeoutMs: 5,
      everyMs: 1,
      host: 'cp1',
      evidence: async () => 'console',
    });
    await expect(waiting).rejects.toMatchObject({
      code: 'DEADLINE',
      message: 'boot of cp1: still booting after 0.005 s',
      host: 'cp1',
      details: 'console',
    });
  });

  it('ends at once when it is aborted', async () => {
    const waiting = waitUntil(async () => 'not yet', {
      what: 'boot',
      timeoutMs: 60_000,
      signal: AbortSignal.abort(),
    });
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
