import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
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

  const run = (name: string, limit: string, { port = 0, along = '' } = {}) =>
    spawnSync('sh', ['-s', '--', manifest, name, limit, String(port), along], {
      // No process of a test is in a pod.
      input: AWAIT_RESTART.replaceAll('kubepods', '.'),
    });

  /** A program of that name, and the signal that ends it. */
  function running(name: string) {
    const child = spawn('sh', ['-c', `printf ${name} > /proc/self/comm; read -r _`]);
    return { child, ended: once(child, 'exit').then(([, signal]) => signal as string) };
  }

  it('takes a program for the new one that began after the manifest was written, and no other', async () => {
    await expect.poll(() => code(-60)).toBe(0);
    expect(code(60)).toBe(4);
  });

  it('ends an API server that listens no more after five seconds, and none that still listens', async () => {
    const { child, ended } = running('keelson-api');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const at = Date.now() / 1000 + 60;
    utimesSync(manifest, at, at);
    expect(run('keelson-api', '6', { port }).status).toBe(4);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    server.close();
    await once(server, 'close');
    expect(run('keelson-api', '7', { port }).status).toBe(4);
    expect(await ended).toBe('SIGTERM');
  }, 60_000);

  it('ends the API server beside an etcd that has ended, and not beside one that runs', async () => {
    const { child, ended } = running('keelson-beside');
    const at = Date.now() / 1000 + 60;
    utimesSync(manifest, at, at);
    expect(run('keelson-probe', '1', { along: 'keelson-beside' }).status).toBe(4);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    expect(run('keelson-gone', '1', { along: 'keelson-beside' }).status).toBe(4);
    expect(await ended).toBe('SIGKILL');
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
