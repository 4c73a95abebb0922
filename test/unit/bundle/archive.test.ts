import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { archivedBlobs, imagesArchive } from '../../../src/bundle/archive.js';
import { blobPath } from '../../../src/bundle/bundle.js';
import { smallBundle } from './fixture.js';

async function contentsOf(archive: AsyncIterable<Buffer>): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    const chunks: Buffer[] = [];
    // A broken archive breaks the entry being read too; the pipeline reports it.
    stream.on('error', () => undefined);
    stream.on('data', (chunk) => chunks.push(chunk as Buffer));
    stream.on('end', () => {
      if (contents.has(header.name)) throw new Error(`${header.name} twice`);
      contents.set(header.name, Buffer.concat(chunks));
      next();
    });
  });
  await pipeline(async function* () {
    // A reader may keep only copies.
    for await (const chunk of archive) yield Buffer.from(chunk);
  }, reader);
  return contents;
}

test('a layer that two images share is written once', async () => {
  const bundle = await smallBundle();
  const contents = await contentsOf(imagesArchive(bundle, bundle.lock.images));
  // Two manifests, two configurations, one layer each and the shared one.
  expect([...contents.keys()].filter((name) => name.startsWith('blobs/sha256/'))).toHaveLength(7);
  expect(contents.get('oci-layout')?.toString()).toBe('{"imageLayoutVersion":"1.0.0"}');
});

test('the index names each image as containerd reads it', async () => {
  const bundle = await smallBundle();
  const contents = await contentsOf(imagesArchive(bundle, bundle.lock.images.slice(1)));
  const index = JSON.parse(contents.get('index.json')?.toString() ?? '') as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  expect(index.manifests).toHaveLength(1);
  expect(index.manifests[0]?.digest).toBe(bundle.lock.images[1]?.digest);
  expect(index.manifests[0]?.annotations['io.containerd.image.name']).toBe('registry.example/pause:v1');
});

test('layers that the receiver has are left out, manifests and configurations never', async () => {
  const bundle = await smallBundle();
  const all = new Set(bundle.lock.images.flatMap((image) => image.blobs.map((blob) => blob.sha256)));
  const contents = await contentsOf(imagesArchive(bundle, bundle.lock.images, { omitBlobs: all }));
  expect([...contents.keys()].filter((name) => name.startsWith('blobs/'))).toHaveLength(4);
  expect(archivedBlobs(bundle.lock.images, all)).toHaveLength(4);
});

test('a blob that is missing breaks the stream', async () => {
  const bundle = await smallBundle();
  await rm(blobPath(bundle, bundle.lock.images[0]?.blobs[2]?.sha256 ?? ''));
  await expect(contentsOf(imagesArchive(bundle, bundle.lock.images))).rejects.toThrow(/ENOENT/);
});
