import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findScript, parseFound } from '../../../../src/workflows/certs/read-host.js';

it('finds certificates and keys, follows links, and leaves out what a kubelet had before', async () => {
  const root = await mkdtemp(join(tmpdir(), 'keelson-certs-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const pki = join(root, "it's pki");
  await mkdir(join(pki, 'etcd'), { recursive: true });
  const file = async (name: string, text: string, mode: number) => {
    await writeFile(join(pki, name), text);
    await chmod(join(pki, name), mode);
  };
  await file('ca.crt', 'one\ntwo\n', 0o644);
  await file('etcd/peer.key', 'secret\n', 0o600);
  await file('notes.txt', 'no', 0o644);
  await file('kubelet-client-2025-11-23-12-00-00.pem', 'old\n', 0o600);
  await file('kubelet-client-2026-11-23-12-00-00.pem', 'new\n', 0o600);
  await file('custom', 'named\n', 0o640);
  await symlink('kubelet-client-2026-11-23-12-00-00.pem', join(pki, 'kubelet-client-current.pem'));
  const script = findScript({ directories: [pki, join(root, 'missing')], files: [join(pki, 'custom')] });
  const { stdout, status } = spawnSync('sh', ['-c', script]);
  expect(status).toBe(0);
  const found = [...parseFound(stdout.toString())]
    .filter(([path]) => path.startsWith(root))
    .map(([path, { mode, content }]) => [path.slice(pki.length + 1), mode.toString(8), content.toString()]);
  expect(found.sort()).toEqual([
    ['ca.crt', '644', 'one\ntwo\n'],
    ['custom', '640', 'named\n'],
    ['etcd/peer.key', '600', 'secret\n'],
    ['kubelet-client-current.pem', '600', 'new\n'],
  ]);
});
