import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  fileByName,
  filesForRole,
  imageByName,
  imagesForRole,
  loadBundle,
} from '../../../src/bundle/bundle.js';
import { LOCK_FILE, parseLock, renderLock } from '../../../src/bundle/lock.js';
import { scratch, smallBundle } from './fixture.js';

test('a lock reads back as it was written', async () => {
  const { lock } = await smallBundle();
  expect(parseLock(renderLock(lock), 'here')).toEqual(lock);
});

test('a lock that is no JSON is refused with its place', () => {
  expect(() => parseLock('{', '/b/bundle.lock.json')).toThrowError(
    expect.objectContaining({
      code: 'BUNDLE',
      message: expect.stringMatching(/^\/b\/bundle\.lock\.json: is no JSON/),
    }),
  );
});

test('a field that does not fit is named by its path', async () => {
  const { lock } = await smallBundle();
  const broken = { ...lock, files: lock.files.map((file) => ({ ...file, sha256: 'abc' })) };
  expect(() => parseLock(JSON.stringify(broken), 'l')).toThrowError(
    expect.objectContaining({
      code: 'BUNDLE',
      message: 'l: files.0.sha256: expected 64 lower-case hex digits',
    }),
  );
});

test('an unknown field is refused', async () => {
  const { lock } = await smallBundle();
  expect(() => parseLock(JSON.stringify({ ...lock, surprise: 1 }), 'l')).toThrow(/surprise/);
});

test('a newer format version says to update keelson', async () => {
  const { lock } = await smallBundle();
  expect(() => parseLock(JSON.stringify({ ...lock, formatVersion: 2 }), 'l')).toThrowError(
    expect.objectContaining({
      message: expect.stringContaining('newer'),
      hint: expect.stringContaining('update keelson'),
    }),
  );
});

test('a directory without a lock, and none at all, are told apart', async () => {
  const dir = await scratch();
  await expect(loadBundle(dir)).rejects.toMatchObject({
    code: 'BUNDLE',
    message: `${join(dir, LOCK_FILE)}: can't be read`,
  });
  await expect(loadBundle(join(dir, 'none'))).rejects.toMatchObject({
    message: `${join(dir, 'none')}: there is no bundle`,
  });
  await writeFile(join(dir, LOCK_FILE), 'null');
  await expect(loadBundle(dir)).rejects.toMatchObject({ code: 'BUNDLE' });
});

test('a worker gets neither files nor images of control planes', async () => {
  const bundle = await smallBundle();
  const names = (items: { name: string }[]) => items.map((item) => item.name);
  expect(names(imagesForRole(bundle, 'control-plane'))).toEqual(['etcd', 'pause']);
  expect(names(imagesForRole(bundle, 'worker'))).toEqual(['pause']);
  expect(names(filesForRole(bundle, 'worker'))).toEqual(['kubelet']);
});

test('a name that the bundle lacks is refused with those it has', async () => {
  const bundle = await smallBundle();
  expect(imageByName(bundle, 'pause').reference).toBe('registry.example/pause:v1');
  expect(() => imageByName(bundle, 'flannel')).toThrowError(
    expect.objectContaining({ hint: 'it has etcd, pause' }),
  );
  expect(fileByName(bundle, 'kubelet').path).toBe('/usr/bin/kubelet');
  expect(() => fileByName(bundle, 'runc')).toThrowError(expect.objectContaining({ hint: 'it has kubelet' }));
});

test.each([
  ['outside of the folders of programs', { path: '/etc/shadow' }, 'path'],
  ['with a way out of its folder', { path: '/usr/bin/../../etc/shadow' }, 'path'],
  ['in a folder below', { path: '/usr/bin/x/y' }, 'path'],
  ['with a line break', { path: '/usr/bin/kubelet\n' }, 'path'],
  ['that is setuid', { mode: 0o4755 }, 'mode'],
  ['that is setgid', { mode: 0o2755 }, 'mode'],
  ['that others may write', { mode: 0o777 }, 'mode'],
  ['whose name is an option', { name: '--now' }, 'name'],
  ['whose version has a line break', { version: 'v1\nrm' }, 'version'],
])('a file %s is refused', async (_what, change, field) => {
  const { lock } = await smallBundle();
  const broken = { ...lock, files: lock.files.map((file) => ({ ...file, ...change })) };
  expect(() => parseLock(JSON.stringify(broken), 'l')).toThrowError(
    expect.objectContaining({ code: 'BUNDLE', message: expect.stringContaining(`files.0.${field}`) }),
  );
});

test('two files of one path, or two images of one reference, are refused', async () => {
  const { lock } = await smallBundle();
  const [file] = lock.files;
  const twice = { ...lock, files: [file, { ...file, name: 'other' }] };
  expect(() => parseLock(JSON.stringify(twice), 'l')).toThrow(
    'files.1.path: /usr/bin/kubelet is there twice',
  );
  const images = lock.images.map((image) => ({ ...image, reference: 'registry.example/one:v1' }));
  expect(() => parseLock(JSON.stringify({ ...lock, images }), 'l')).toThrow(/images\.1\.reference/);
});

test('an image whose first blob is not its manifest is refused', async () => {
  const { lock } = await smallBundle();
  const images = lock.images.map((image) => ({ ...image, blobs: [...image.blobs].reverse() }));
  expect(() => parseLock(JSON.stringify({ ...lock, images }), 'l')).toThrow(/images\.0: the first blob/);
});
