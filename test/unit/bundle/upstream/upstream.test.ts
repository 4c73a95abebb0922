import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FILE_TABLE } from '../../../../src/bundle/file-table.js';
import { checksumIn } from '../../../../src/bundle/upstream/pull-file.js';
import { readVersions, upstreamRelease } from '../../../../src/bundle/upstream/release.js';
import { upstreamFiles, upstreamImages } from '../../../../src/bundle/upstream/sources.js';
import { FLANNEL_IMAGES } from '../../../../src/manifests/flannel.js';
import { controlPlaneImages } from '../../../../src/manifests/image-names.js';
import { CLUSTER, KUBEADM, parse, stream } from '../../config/support.js';
import { scratch } from '../fixture.js';

const release = upstreamRelease('v1.36.3');

test('official addresses are those of the projects’ releases', () => {
  const urls = upstreamFiles('v1.36.3', release, 'arm64').map(({ url }) => url);
  expect(urls).toEqual([
    'https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubelet',
    'https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubeadm',
    'https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubectl',
    'https://github.com/containerd/containerd/releases/download/v2.2.1/containerd-2.2.1-linux-arm64.tar.gz',
    'https://github.com/opencontainers/runc/releases/download/v1.4.0/runc.arm64',
    'https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-arm64-v1.9.1.tgz',
    'https://github.com/flannel-io/cni-plugin/releases/download/v1.9.1-flannel3/cni-plugin-flannel-linux-arm64-v1.9.1-flannel3.tgz',
  ]);
});

test('together they have every program of the file table', () => {
  const programs = upstreamFiles('v1.36.3', release, 'amd64').flatMap((file) => Object.keys(file.programs));
  expect(programs.sort()).toEqual(FILE_TABLE.map(({ name }) => name).sort());
});

test('images have the names that manifests mention, also with another repository', () => {
  for (const repository of [undefined, 'mirror.example/k8s']) {
    const names = upstreamImages('v1.36.3', release, repository).map(({ reference }) => reference);
    const kubeadm = repository === undefined ? KUBEADM : `${KUBEADM}imageRepository: ${repository}\n`;
    const { cluster } = parse(stream(CLUSTER, kubeadm));
    expect(names).toEqual(expect.arrayContaining(controlPlaneImages(cluster)));
    expect(names).toEqual(expect.arrayContaining(Object.values(FLANNEL_IMAGES)));
  }
});

test('a patch release that is not known has the versions of the newest one of its minor version', () => {
  expect(upstreamRelease('v1.36.99')).toEqual(release);
  expect(upstreamRelease('v1.36.99', { 'v1.36': { etcd: '3.7.0-0' }, 'v1.36.99': { runc: 'v9' } })).toEqual({
    ...release,
    etcd: '3.7.0-0',
    runc: 'v9',
  });
  expect(() => upstreamRelease('v1.99.0')).toThrowError(expect.objectContaining({ code: 'BUNDLE' }));
});

test('a versions file is read, and refused with the field that is wrong', async () => {
  const file = join(await scratch(), 'versions.yaml');
  await writeFile(file, 'v1.37: {etcd: 3.7.0-0, containerd: v2.4.1}\n');
  expect(await readVersions(file)).toEqual({ 'v1.37': { etcd: '3.7.0-0', containerd: 'v2.4.1' } });
  await writeFile(file, 'v1.37: {etdc: 3.7.0-0}\n');
  await expect(readVersions(file)).rejects.toMatchObject({
    code: 'CONFIG',
    message: expect.stringContaining('etdc'),
  });
});

test('a checksum is found alone, in a line, and in a signed text', () => {
  const sum = 'a'.repeat(64);
  const other = 'b'.repeat(64);
  expect(checksumIn(`${sum}\n`, 'kubelet')).toBe(sum);
  expect(checksumIn(`${other}  runc.arm64\n${sum}  runc.amd64\n`, 'runc.amd64')).toBe(sum);
  expect(checksumIn(`-----BEGIN PGP SIGNED MESSAGE-----\n\n${sum} *runc.amd64\n`, 'runc.amd64')).toBe(sum);
  expect(checksumIn(`${sum}  ./release/x.tgz\n`, 'x.tgz')).toBe(sum);
  expect(checksumIn(`${sum}  runc.amd64.asc\n`, 'runc.amd64')).toBeNull();
});
