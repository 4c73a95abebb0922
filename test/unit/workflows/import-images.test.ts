import { expect, test } from 'vitest';
import type { Bundle } from '../../../src/bundle/bundle.js';
import { importImages } from '../../../src/workflows/import-images.js';
import { createFakeHost } from '../../fakes/fake-host.js';
import { smallBundle } from '../bundle/fixture.js';

/** Imports all images of a bundle. @returns names of the blobs in each archive that was sent */
async function sentTo(bundle: Bundle, held: string, after: (reference: string) => string, refused = 0) {
  const { images } = bundle.lock;
  const host = createFakeHost({ name: 'w1' });
  const archives: unknown[] = [];
  host.on(/^<images\/held>/, { stdout: held });
  host.on(/^<images\/pin>/, {
    stdout: images.map(({ reference, digest }) => `${reference} x ${digest} ${after(reference)}\n`).join(''),
  });
  host.on(/^ctr .* images import/, (_, { stdin }) => {
    archives.push(stdin);
    return archives.length > refused ? {} : { code: 1, stderr: 'content digest: not found' };
  });
  const changes = images.map(({ reference, digest, size }) => ({
    kind: 'image' as const,
    ...{ reference, digest, size, reason: '' },
  }));
  await importImages(bundle, host, changes, new AbortController().signal);
  return Promise.all(archives.map(blobsIn));
}

async function blobsIn(archive: unknown): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return [
    ...Buffer.concat(chunks)
      .toString('latin1')
      .matchAll(/blobs\/sha256\/([0-9a-f]{64})/g),
  ].map(([, name = '']) => name);
}

const COMPLETE = 'complete (4/4) 1 MiB/1 MiB true';

test('layers that the host has are not sent', async () => {
  const bundle = await smallBundle();
  const shared = bundle.lock.images[0]?.blobs[2]?.sha256 ?? '';
  const [all] = await sentTo(bundle, '', () => COMPLETE);
  expect(all).toContain(shared);
  const sent = await sentTo(bundle, `content ${shared}\n`, () => COMPLETE);
  expect(sent).toEqual([all?.filter((blob) => blob !== shared)]);
});

test('an image that is incomplete then, since the host gave a layer up meanwhile, is sent as a whole', async () => {
  const bundle = await smallBundle();
  const [broken, whole] = bundle.lock.images;
  const shared = broken?.blobs[2]?.sha256 ?? '';
  const sent = await sentTo(bundle, `content ${shared}\n`, (reference) =>
    reference === broken?.reference ? 'incomplete (3/4) 1 KiB/1 MiB false' : COMPLETE,
  );
  expect(sent).toHaveLength(2);
  expect(sent[1]?.toSorted()).toEqual(broken?.blobs.map(({ sha256 }) => sha256).toSorted());
  expect(sent[1]).not.toContain(whole?.blobs[0]?.sha256);
});

test('an import that fails for want of a layer that the host had is tried with all of them', async () => {
  const bundle = await smallBundle();
  const shared = bundle.lock.images[0]?.blobs[2]?.sha256 ?? '';
  const [, again] = await sentTo(bundle, `content ${shared}\n`, () => COMPLETE, 1);
  expect(again).toContain(shared);
  await expect(sentTo(bundle, '', () => COMPLETE, 1)).rejects.toMatchObject({ code: 'REMOTE_COMMAND' });
});
