import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { addImages } from '../../../../src/bundle/add-image/add.js';
import { fullReference, shortName } from '../../../../src/bundle/add-image/reference.js';
import { imagesArchive } from '../../../../src/bundle/archive.js';
import { verifyBundle } from '../../../../src/bundle/verify.js';
import { scratch, smallBundle } from '../fixture.js';

const EVERYWHERE = { roles: ['control-plane', 'worker'] as const };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function archiveOf(fill: (tar: Pack) => void, gzip = false): Promise<string> {
  const tar = pack();
  fill(tar);
  tar.finalize();
  const file = join(await scratch(), 'image.tar');
  await pipeline(tar, createWriteStream(file));
  if (gzip) await writeFile(file, gzipSync(await readFile(file)));
  return file;
}

/** As Docker wrote it before it knew OCI layouts: layers in folders, one of them a link to another. */
const dockerArchive = (tags: readonly string[] | null, architecture = 'amd64') => {
  const config = JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
  return archiveOf((tar) => {
    tar.entry({ name: 'a/layer.tar' }, 'lower layer');
    tar.entry({ name: 'b/layer.tar', type: 'symlink', linkname: '../a/layer.tar' });
    tar.entry({ name: 'config.json' }, config);
    tar.entry(
      { name: 'manifest.json' },
      JSON.stringify([{ Config: 'config.json', RepoTags: tags, Layers: ['a/layer.tar', 'b/layer.tar'] }]),
    );
  }, true);
};

describe('images added to a bundle', () => {
  it('come from OCI layouts, whole and with their digests', async () => {
    const from = await smallBundle('other');
    const into = await smallBundle();
    const [image] = from.lock.images;
    const file = join(await scratch(), 'oci.tar');
    const images = from.lock.images.slice(0, 1).map((one) => ({ ...one, reference: 'quay.io/x/extra:v2' }));
    const chunks: Buffer[] = [];
    for await (const chunk of imagesArchive(from, images)) chunks.push(Buffer.from(chunk));
    await writeFile(file, Buffer.concat(chunks));
    const { bundle, added } = await addImages(into, [file], EVERYWHERE);
    expect(added).toMatchObject([
      { name: 'x-extra', reference: 'quay.io/x/extra:v2', digest: image?.digest },
    ]);
    expect(bundle.lock.images).toHaveLength(into.lock.images.length + 1);
    await verifyBundle(bundle.dir);
  });

  it('come from Docker’s own archives, gzipped, with a manifest made for them', async () => {
    const into = await smallBundle();
    const archive = await dockerArchive(['calico/node:v3.32.1', 'quay.io/calico/node:v3.32.1']);
    const { bundle, added } = await addImages(into, [archive], { roles: ['worker'] });
    expect(added.map(({ reference, name, roles }) => [reference, name, roles])).toEqual([
      ['docker.io/calico/node:v3.32.1', 'calico-node', ['worker']],
      ['quay.io/calico/node:v3.32.1', 'calico-node-v3.32.1', ['worker']],
    ]);
    expect(added[0]?.blobs.slice(2)).toEqual(
      [0, 1].map(() => ({
        sha256: sha256('lower layer'),
        size: 11,
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
      })),
    );
    await verifyBundle(bundle.dir);
  });

  it('take the place of those of the same name', async () => {
    const into = await smallBundle();
    const [image] = into.lock.images;
    const archive = await dockerArchive(['x:1']);
    const reference = image?.reference;
    const { bundle } = await addImages(into, [archive], { ...EVERYWHERE, reference });
    expect(bundle.lock.images).toHaveLength(into.lock.images.length);
    const found = bundle.lock.images.find((one) => one.reference === reference);
    expect(found?.name).toBe(image?.name);
    expect(found?.digest).not.toBe(image?.digest);
    await verifyBundle(bundle.dir);
  });

  it('are refused without a name, for another architecture, and where something is missing', async () => {
    const into = await smallBundle();
    const before = await readFile(join(into.dir, 'bundle.lock.json'), 'utf8');
    const refused = (archive: string) => addImages(into, [archive], EVERYWHERE);
    await expect(refused(await dockerArchive(null))).rejects.toThrow('an image without a name and tag');
    await expect(refused(await dockerArchive(['x:1'], 'riscv64'))).rejects.toThrow(
      'docker.io/library/x:1 is for riscv64, the bundle is for amd64',
    );
    const holey = await archiveOf((tar) => {
      tar.entry(
        { name: 'manifest.json' },
        JSON.stringify([{ Config: 'c.json', RepoTags: ['x:1'], Layers: [] }]),
      );
    });
    await expect(refused(holey)).rejects.toThrow('x:1 is not whole: c.json is missing');
    await expect(refused(await archiveOf((tar) => tar.entry({ name: 'x' }, 'y')))).rejects.toThrow(
      'it holds no image',
    );
    await expect(refused('/nonexistent.tar')).rejects.toMatchObject({ code: 'BUNDLE' });
    expect(await readFile(join(into.dir, 'bundle.lock.json'), 'utf8')).toBe(before);
  });

  it('of a layout that lacks a layer, or has another in its place, are refused', async () => {
    const from = await smallBundle('other');
    const [image] = from.lock.images;
    if (image === undefined) throw new Error('no image');
    const layer = image.blobs.at(-1)?.sha256 ?? '';
    const manifest = await readFile(join(from.dir, 'blobs', 'sha256', image.blobs[0]?.sha256 ?? ''));
    const config = await readFile(join(from.dir, 'blobs', 'sha256', image.blobs[1]?.sha256 ?? ''));
    const archive = await archiveOf((tar) => {
      const descriptor = {
        digest: image.digest,
        annotations: { 'org.opencontainers.image.ref.name': 'quay.io/x/y:1' },
      };
      tar.entry({ name: 'index.json' }, JSON.stringify({ manifests: [descriptor] }));
      tar.entry({ name: `blobs/sha256/${image.blobs[0]?.sha256}` }, manifest);
      tar.entry({ name: `blobs/sha256/${image.blobs[1]?.sha256}` }, config);
      for (const { sha256: digest } of image.blobs.slice(2, -1))
        tar.entry({ name: `blobs/sha256/${digest}` }, 'wrong');
      tar.entry({ name: `blobs/sha256/${layer}` }, 'wrong');
    });
    await expect(addImages(await smallBundle(), [archive], EVERYWHERE)).rejects.toThrow(
      /quay\.io\/x\/y:1 is not whole: the blob [0-9a-f]{64} is missing or damaged/,
    );
  });
});

describe('names of images', () => {
  it.each([
    ['busybox:1', 'docker.io/library/busybox:1'],
    ['calico/node:v3', 'docker.io/calico/node:v3'],
    ['localhost/x:1', 'localhost/x:1'],
    ['r.example:5000/a/b:1', 'r.example:5000/a/b:1'],
    ['busybox', null],
    ['r.example:5000/a', null],
    ['', null],
  ])('of %s: %s', (short, full) => {
    expect(fullReference(short)).toBe(full);
  });

  it('within a bundle are short as long as that is no other image’s', () => {
    expect(shortName('docker.io/library/busybox:1', [])).toBe('busybox');
    expect(shortName('registry.k8s.io/pause:3.11', ['pause'])).toBe('pause-3.11');
  });
});
