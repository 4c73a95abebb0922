import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blobPath } from '../../../src/bundle/bundle.js';
import { inspectBundle, verifyBundle } from '../../../src/bundle/verify.js';
import { smallBundle } from './fixture.js';

test('an untouched bundle verifies, shared blobs counted once', async () => {
  const { dir, lock } = await smallBundle();
  const distinct = new Set(
    [...lock.files, ...lock.images.flatMap((image) => image.blobs)].map((blob) => blob.sha256),
  );
  expect((await verifyBundle(dir)).blobs).toBe(distinct.size);
});

test('one flipped byte is found, with what needs the blob', async () => {
  const bundle = await smallBundle();
  const [, , shared] = bundle.lock.images[0]?.blobs ?? [];
  const file = blobPath(bundle, shared?.sha256 ?? '');
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(3) ^ 1, 3);
  await writeFile(file, bytes);
  await expect(verifyBundle(bundle.dir)).rejects.toMatchObject({
    code: 'BUNDLE',
    message: expect.stringContaining(`${file}: is corrupt`),
    details: [{ neededBy: ['image registry.example/etcd:v1', 'image registry.example/pause:v1'] }],
  });
});

test('every missing or shortened blob is reported at once', async () => {
  const bundle = await smallBundle();
  const kubelet = blobPath(bundle, bundle.lock.files[0]?.sha256 ?? '');
  const manifest = blobPath(bundle, bundle.lock.images[1]?.digest.slice('sha256:'.length) ?? '');
  await rm(kubelet);
  await writeFile(manifest, '{}');
  await expect(verifyBundle(bundle.dir)).rejects.toMatchObject({
    message: expect.stringContaining('(and 1 more)'),
    details: [
      { file: kubelet, problem: 'is missing', neededBy: ['file kubelet'] },
      { file: manifest, problem: expect.stringMatching(/^has 2 bytes instead of/) },
    ],
  });
});

test('an index that names other images than the lock is found', async () => {
  const bundle = await smallBundle();
  await writeFile(join(bundle.dir, 'index.json'), '{}');
  await expect(verifyBundle(bundle.dir)).rejects.toMatchObject({
    message: expect.stringContaining('index.json'),
  });
});

test('inspection tells what a host of each role needs', async () => {
  const bundle = await smallBundle();
  const summary = await inspectBundle(bundle.dir);
  const [etcd] = bundle.lock.images;
  const own =
    etcd?.blobs.filter((_blob, index) => index !== 2).reduce((sum, blob) => sum + blob.size, 0) ?? 0;
  expect(summary.bytes).toBe(summary.bytesByRole['control-plane']);
  expect(summary.bytesByRole['control-plane'] - summary.bytesByRole.worker).toBe(own);
});
