import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readText } from '../../../src/config/read-text.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keelson-read-text-'));
  await mkdir(join(folder, 'directory'));
  await writeFile(join(folder, 'large'), 'x'.repeat(3 * 1024 * 1024));
  await writeFile(join(folder, 'binary'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]));
  await symlink('circle', join(folder, 'circle'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (path: string) => readText(path, 2 * 1024 * 1024, { code: 'CONFIG', hint: 'name another' });

it.each([
  ['directory', 'is a directory'],
  ['large', 'is bigger than 2 MiB'],
  ['binary', 'is no text'],
  ['nowhere', 'there is no such file'],
  ['binary/below', 'there is no such file'],
  ['circle', 'symbolic links lead in a circle'],
])('refuses %s', async (name, what) => {
  const path = join(folder, name);
  await expect(read(path)).rejects.toMatchObject({
    code: 'CONFIG',
    message: `${path}: ${what}`,
    hint: 'name another',
  });
});

it('ends on a device without an end', async () => {
  await expect(read('/dev/zero')).rejects.toThrow('/dev/zero: is no text');
});

it('reads pipes', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const [text] = await Promise.all([read(pipe), writeFile(pipe, 'kind: Cluster\n')]);
  expect(text).toBe('kind: Cluster\n');
});
