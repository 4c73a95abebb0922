import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  caFilesOf,
  mirroredFile,
  mirroredRegistry,
  NO_MIRRORS,
  readMirrors,
} from '../../../src/bundle/mirrors.js';
import { savedCredentials } from '../../../src/bundle/registry/credentials.js';
import { scratch } from './fixture.js';

async function mirrorsOf(text: string, dir?: string) {
  const folder = dir ?? (await scratch());
  const file = join(folder, 'mirrors.yaml');
  await writeFile(file, text);
  return readMirrors(file);
}

test('an official address becomes the mirror’s, the longest beginning first', async () => {
  const mirrors = await mirrorsOf(`files:
  https://github.com: https://mirror.example/gh/
  https://github.com/opencontainers: https://other.example
`);
  const at = (url: string) => mirroredFile(mirrors, url).url;
  expect(at('https://github.com/a/b')).toBe('https://mirror.example/gh/a/b');
  expect(at('https://github.com/opencontainers/runc')).toBe('https://other.example/runc');
  expect(at('https://github.community/a')).toBe('https://github.community/a');
  expect(at('https://dl.k8s.io/x')).toBe('https://dl.k8s.io/x');
});

test('a registry has a place, a CA and a login; saved logins count where the file has none', async () => {
  const dir = await scratch();
  await writeFile(join(dir, 'pw'), 'secret\n');
  const mirrors = await mirrorsOf(
    `registries:
  registry.k8s.io: {url: 'https://reg.example:5000/k8s', ca: ca.pem, username: u, passwordFile: pw}
  ghcr.io: https://reg.example:5000/gh
`,
    dir,
  );
  const auth = Buffer.from('saved:word:with:colons').toString('base64');
  await writeFile(
    join(dir, 'auth.json'),
    JSON.stringify({ auths: { 'https://reg.example:5000': { auth }, 'broken.example': {} } }),
  );
  const saved = await savedCredentials([join(dir, 'none.json'), join(dir, 'auth.json')]);
  expect(mirroredRegistry(mirrors, 'registry.k8s.io', saved)).toEqual({
    url: 'https://reg.example:5000/k8s',
    credentials: { username: 'u', password: 'secret' },
  });
  expect(mirroredRegistry(mirrors, 'ghcr.io', saved).credentials).toEqual({
    username: 'saved',
    password: 'word:with:colons',
  });
  expect(mirroredRegistry(NO_MIRRORS, 'docker.io', saved)).toEqual({
    url: 'https://registry-1.docker.io',
    credentials: null,
  });
  expect(caFilesOf(mirrors)).toEqual(new Map([['https://reg.example:5000', join(dir, 'ca.pem')]]));
});

test.each([
  ['files: {https://dl.k8s.io: ftp://x}', /files\.https:\/\/dl\.k8s\.io/],
  ['registry: {}', /registry/],
  ['registries: {r.example: {url: "https://x", username: u}}', /only one of username and passwordFile/],
  ['[', /no YAML/],
])('%s is refused with the field that is wrong', async (text, message) => {
  await expect(mirrorsOf(text)).rejects.toMatchObject({
    code: 'CONFIG',
    message: expect.stringMatching(message),
  });
});
