import { spawnSync } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { INSTALL } from '../../../../src/phases/certs/kubelet-client.js';

const block = (label: string, text: string) => `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;

async function kubelet(content: string) {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-kubelet-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const link = join(directory, 'kubelet-client-current.pem');
  const old = join(directory, 'kubelet-client-old.pem');
  const staged = join(directory, 'staged');
  await writeFile(old, content, { mode: 0o600 });
  await symlink(old, link);
  await writeFile(staged, block('CERTIFICATE', 'new'));
  const { status } = spawnSync('sh', ['-s', '--', link, staged, 'kubelet-client-new.pem'], {
    input: INSTALL,
  });
  return { directory, link, old, status };
}

it('joins a new certificate with the key that the kubelet has', async () => {
  const key = block('EC PRIVATE KEY', 'secret');
  const { directory, link, old, status } = await kubelet(block('CERTIFICATE', 'old') + key);
  expect(status).toBe(0);
  expect(await readFile(link, 'utf8')).toBe(block('CERTIFICATE', 'new') + key);
  expect(await readlink(link)).toBe(join(directory, 'kubelet-client-new.pem'));
  expect((await lstat(await readlink(link))).mode & 0o777).toBe(0o600);
  expect(await readFile(old, 'utf8')).toContain('old');
  expect((await readdir(directory)).sort()).toEqual([
    'kubelet-client-current.pem',
    'kubelet-client-new.pem',
    'kubelet-client-old.pem',
  ]);
});

it('leaves everything as it is where there is no key', async () => {
  const { link, old, status } = await kubelet(block('CERTIFICATE', 'old'));
  expect(status).not.toBe(0);
  expect(await readlink(link)).toBe(old);
});
