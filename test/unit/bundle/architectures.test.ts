import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Bundle, blobPath, bundleFor, filesForRole } from '../../../src/bundle/bundle.js';
import { unpackBundle } from '../../../src/bundle/carry/unpack.js';
import { writeBundleArchive } from '../../../src/bundle/carry/write.js';
import { architecturesOf, parseLock, renderLock } from '../../../src/bundle/lock.js';
import { papersOf } from '../../../src/bundle/papers.js';
import { routeOf } from '../../../src/bundle/serve/routes.js';
import { verifyBundle } from '../../../src/bundle/verify.js';
import { bundleOfTwo, scratch, smallBundle } from './fixture.js';

const kubelet = (bundle: Bundle | null): string =>
  bundle === null ? '' : (filesForRole(bundle, 'worker')[0]?.sha256 ?? '');

describe('a bundle for two architectures', () => {
  it('has for each host what is of its own', async () => {
    const bundle = await bundleOfTwo();
    expect(architecturesOf(bundle.lock)).toEqual(['amd64', 'arm64']);
    expect(kubelet(bundleFor(bundle, 'amd64'))).toBe(kubelet(await smallBundle()));
    expect(kubelet(bundleFor(bundle, 'arm64'))).toBe(kubelet(await smallBundle(' of arm64')));
    expect(bundleFor(await smallBundle(), 'arm64')).toBeNull();
  });

  it('reads back as it was written, and no architecture is there twice', async () => {
    const { lock } = await bundleOfTwo();
    expect(parseLock(renderLock(lock), 'here')).toEqual(lock);
    const twice = { ...lock, others: lock.others?.map((other) => ({ ...other, architecture: 'amd64' })) };
    expect(() => parseLock(JSON.stringify(twice), 'here')).toThrow('one architecture is there twice');
  });

  it('is carried whole in a file', async () => {
    const bundle = await bundleOfTwo();
    const file = join(await scratch(), 'two.tar');
    await writeBundleArchive(bundle, { file, papers: await papersOf(bundle) });
    const unpacked = await unpackBundle(file, { dir: join(await scratch(), 'b') });
    expect(unpacked.lock).toEqual(bundle.lock);
    expect((await verifyBundle(unpacked.dir)).blobs).toBe(16);
  });

  it('is not whole without a blob of either', async () => {
    for (const architecture of ['amd64', 'arm64'] as const) {
      const bundle = await bundleOfTwo();
      const lost = bundleFor(bundle, architecture)?.lock.images[1]?.blobs[2]?.sha256 ?? '';
      await rm(blobPath(bundle, lost));
      await expect(verifyBundle(bundle.dir)).rejects.toMatchObject({ code: 'BUNDLE' });
    }
  });

  it('lists both in its bill of materials, under names of their own', async () => {
    const bundle = await bundleOfTwo();
    const { packages } = JSON.parse(await readFile(join(bundle.dir, 'sbom.spdx.json'), 'utf8')) as {
      packages: { SPDXID: string; checksums?: { checksumValue: string }[] }[];
    };
    const ids = packages.map(({ SPDXID }) => SPDXID);
    expect(new Set(ids).size).toBe(ids.length);
    const own = packages.find(({ SPDXID }) => SPDXID === 'SPDXRef-file-kubelet-arm64');
    expect(own?.checksums?.[0]?.checksumValue).toBe(kubelet(bundleFor(bundle, 'arm64')));
  });

  it('gives a registry’s client an index of both for a tag', async () => {
    const bundle = await bundleOfTwo();
    const route = (path: string) => routeOf([bundle], path, new URLSearchParams());
    const tag = route('/v2/etcd/manifests/v1');
    if (tag?.kind !== 'index') throw new Error('no index');
    const { manifests } = JSON.parse(tag.bytes.toString()) as {
      manifests: { digest: string; platform: { architecture: string } }[];
    };
    expect(manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
    expect(route(`/v2/etcd/manifests/sha256:${tag.sha256}`)).toEqual(tag);
    for (const { digest } of manifests)
      expect(route(`/v2/etcd/manifests/${digest}`)).toMatchObject({ kind: 'blob', manifest: true });
    expect(route('/release/v1.36.3/bin/linux/arm64/kubelet.sha256')).toEqual({
      kind: 'text',
      text: kubelet(bundleFor(bundle, 'arm64')),
    });
  });
});
