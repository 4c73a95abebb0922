import { expect, test } from 'vitest';
import { routeOf } from '../../../../src/bundle/serve/routes.js';
import { smallBundle } from '../fixture.js';

test('images are found by name and tag or digest, for the registry that is asked for', async () => {
  const bundle = await smallBundle();
  const [etcd] = bundle.lock.images;
  const route = (path: string, query = '') => routeOf([bundle], path, new URLSearchParams(query));
  const manifest = { kind: 'blob', manifest: true, sha256: etcd?.digest.slice(7) };
  expect(route('/v2/etcd/manifests/v1')).toMatchObject(manifest);
  expect(route('/v2/etcd/manifests/v1', 'ns=registry.example')).toMatchObject(manifest);
  expect(route('/v2/registry.example/etcd/manifests/v1')).toMatchObject(manifest);
  expect(route(`/v2/etcd/manifests/${etcd?.digest}`)).toMatchObject(manifest);
  expect(route('/v2/etcd/manifests/v1', 'ns=other.example')).toBeNull();
  expect(route('/v2/etcd/manifests/v2')).toBeNull();
  expect(route(`/v2/etcd/blobs/sha256:${etcd?.blobs[2]?.sha256}`)).toMatchObject({
    kind: 'blob',
    manifest: false,
  });
  expect(route('/v2/')).toEqual({ kind: 'api' });
});

test('programs are where dl.k8s.io has them, with their checksums; nothing else is there', async () => {
  const bundle = await smallBundle();
  const [kubelet] = bundle.lock.files;
  const route = (path: string) => routeOf([bundle], path, new URLSearchParams());
  expect(route('/release/v1.36.3/bin/linux/amd64/kubelet')).toMatchObject({ sha256: kubelet?.sha256 });
  expect(route('/release/v1.36.3/bin/linux/amd64/kubelet.sha256')).toEqual({
    kind: 'text',
    text: kubelet?.sha256,
  });
  expect(route('/files/kubelet')).toMatchObject({ sha256: kubelet?.sha256 });
  expect(route('/bundle.lock.json')).toMatchObject({ kind: 'paper' });
  for (const path of [
    '/',
    '/etc/passwd',
    '/../etc/passwd',
    '/files/../../x',
    `/blobs/sha256/${'0'.repeat(64)}`,
  ])
    expect(route(path)).toBeNull();
});
