import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReadResult } from '../../../src/host/types.js';
import { AWAIT_RESTART, rollingRestart } from '../../../src/phases/static-pod-restart.js';

const PATH = '/etc/kubernetes/manifests/etcd.yaml';

describe('the wait for a static pod that starts anew', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-restart-'));
  const manifest = join(directory, 'etcd.yaml');
  let program: ReturnType<typeof spawn>;
  beforeAll(() => {
    program = spawn('sh', ['-c', 'printf keelson-probe > /proc/self/comm; read -r _']);
    writeFileSync(manifest, '');
  });
  afterAll(() => {
    program.kill();
    rmSync(directory, { recursive: true });
  });

  /** Exit code where the manifest was written so many seconds from now. */
  function code(seconds: number): number | null {
    const at = Date.now() / 1000 + seconds;
    utimesSync(manifest, at, at);
    return run('keelson-probe', '0').status;
  }

  /** With a systemctl that only notes what it was asked. */
  function run(name: string, limit: string) {
    const bin = join(directory, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\necho "$@" >> ${directory}/asked\n`, { mode: 0o755 });
    return spawnSync('sh', ['-s', '--', manifest, name, limit, 'kubelet.service'], {
      input: AWAIT_RESTART,
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
  }

  it('takes a program for the new one that began after the manifest was written, and no other', async () => {
    await expect.poll(() => code(-60)).toBe(0);
    expect(code(60)).toBe(4);
  });

  it('restarts the kubelet once where no program follows the old one, and not while the old one runs', () => {
    const at = Date.now() / 1000 + 60;
    utimesSync(manifest, at, at);
    expect(run('keelson-probe', '2').status).toBe(4);
    expect(existsSync(join(directory, 'asked'))).toBe(false);
    expect(run('keelson-gone', '3').status).toBe(4);
    expect(readFileSync(join(directory, 'asked'), 'utf8')).toBe('restart kubelet.service\n');
  });
});

describe('changes of a static pod', () => {
  const seen = (content?: string): ReadResult => ({
    files: new Map(
      content === undefined
        ? []
        : [
            [
              PATH,
              {
                path: PATH,
                type: 'file',
                mode: 0o600,
                owner: 'root:root',
                size: 1,
                mtime: '0',
                content: Buffer.from(content),
              },
            ],
          ],
    ),
    units: new Map(),
    probes: new Map(),
  });
  const change = (op: 'create' | 'update', text: string) =>
    ({ kind: 'file', op, path: PATH, mode: 0o600, content: { kind: 'text', text }, reason: '' }) as const;

  it('disrupt and end with waiting where they make another pod', () => {
    expect(rollingRestart('etcd', 'cp1', [change('update', 'a: 2\n')], seen('a: 1\n'))).toMatchObject([
      { kind: 'file', disrupts: true },
      { kind: 'action', name: 'await-etcd' },
    ]);
  });

  it('need no wait where the pod is new, or only its layout or mode differs', () => {
    for (const [made, before] of [
      [change('create', 'a: 1\n'), seen()],
      [change('update', 'a: 1\n'), seen('{"a": 1}\n')],
    ] as const)
      expect(rollingRestart('etcd', 'cp1', [made], before)).toEqual([made]);
  });
});
