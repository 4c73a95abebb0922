import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Bundle } from '../../../src/bundle/bundle.js';
import type { BundleLock } from '../../../src/bundle/lock.js';
import { parseClusterConfig } from '../../../src/config/load.js';
import { FLANNEL_IMAGES } from '../../../src/manifests/flannel.js';
import { controlPlaneImages } from '../../../src/manifests/image-names.js';
import { lackingFor, leavesPackagesToRepositories } from '../../../src/workflows/bundle-complete.js';
import { CLUSTER, KUBEADM, stream } from '../config/support.js';

const config = (kubeadm = KUBEADM, cluster = CLUSTER) =>
  parseClusterConfig(stream(cluster, kubeadm), { baseDir: '/', homeDir: '/', env: {} });

const PROGRAMS =
  'kubelet kubeadm kubectl containerd containerd-shim-runc-v2 ctr runc flannel bridge host-local loopback portmap';

function complete(): Bundle {
  const references = [
    ...controlPlaneImages(config().cluster),
    FLANNEL_IMAGES.flannel,
    FLANNEL_IMAGES.cniPlugin,
    'registry.k8s.io/e2e-test-images/agnhost:2.63.0',
  ];
  const roles: BundleLock['files'][number]['roles'] = ['control-plane', 'worker'];
  return {
    dir: 'bundle',
    lock: {
      formatVersion: 1,
      kubernetesVersion: 'v1.36.3',
      architecture: 'amd64',
      source: 'modules',
      toolchain: { go: '', gcc: '' },
      components: [],
      packages: [],
      files: PROGRAMS.split(' ').map((name) => ({
        name,
        path: `/usr/bin/${name}`,
        mode: 0o755,
        sha256: '',
        size: 0,
        version: 'v1',
        roles,
      })),
      images: references.map((reference) => ({
        name: /([^/]+):/.exec(reference)?.[1] ?? '',
        reference,
        digest: '',
        size: 0,
        blobs: [],
        roles,
      })),
    },
  };
}

const without = (bundle: Bundle, name: string, what: 'files' | 'images'): Bundle => ({
  ...bundle,
  lock: {
    ...bundle.lock,
    [what]: bundle.lock[what].filter((one) => one.name !== name),
  },
});

test('a bundle with everything that the manifests mention lacks nothing', async () => {
  expect(await lackingFor(config(), complete())).toEqual([]);
});

test.each(complete().lock.images.map((image) => image.name))(
  'without the image %s it is not complete',
  async (name) => {
    expect((await lackingFor(config(), without(complete(), name, 'images'))).map(({ kind }) => kind)).toEqual(
      ['image'],
    );
  },
);

test('programs, version, repository and architecture count too, with who needs them', async () => {
  expect(await lackingFor(config(), without(complete(), 'runc', 'files'))).toEqual([
    { kind: 'program', name: 'runc', neededBy: config().hosts.map(({ name }) => name) },
  ]);
  const other = KUBEADM.replace('v1.36.3', 'v1.36.1');
  expect(await lackingFor(config(other), complete())).toContainEqual(
    expect.objectContaining({ kind: 'version', name: 'v1.36.1' }),
  );
  const mirror = `${KUBEADM}imageRepository: mirror.example/k8s\n`;
  expect(await lackingFor(config(mirror), complete())).toContainEqual(
    expect.objectContaining({ kind: 'image', name: 'mirror.example/k8s/pause:3.10.2' }),
  );
  const arm = CLUSTER.replace('role: worker', 'role: worker, architecture: arm64');
  expect(await lackingFor(config(KUBEADM, arm), complete())).toEqual([
    expect.objectContaining({ kind: 'architecture', name: 'arm64' }),
  ]);
});

test('every architecture of the hosts counts, and each has to be whole', async () => {
  const arm = config(KUBEADM, CLUSTER.replace('role: worker', 'role: worker, architecture: arm64'));
  const { dir, lock } = complete();
  const two = (files = lock.files, images = lock.images): Bundle => ({
    dir,
    lock: { ...lock, others: [{ architecture: 'arm64', components: [], files, images }] },
  });
  expect(await lackingFor(arm, two())).toEqual([]);
  const workers = arm.hosts.filter(({ architecture }) => architecture === 'arm64').map(({ name }) => name);
  expect(workers).not.toEqual([]);
  const noRunc = lock.files.filter(({ name }) => name !== 'runc');
  expect(await lackingFor(arm, two(noRunc))).toEqual([{ kind: 'program', name: 'runc', neededBy: workers }]);
  const noProxy = lock.images.filter(({ name }) => name !== 'kube-proxy');
  expect(await lackingFor(arm, two(lock.files, noProxy))).toEqual([
    expect.objectContaining({ kind: 'image', neededBy: ['kube-proxy'] }),
  ]);
});

test('packages that hosts are to install count where the bundle has any', async () => {
  const install = config(KUBEADM, `${CLUSTER}  preparation: {packages: install}\n`);
  const names = ['conntrack', 'ebtables', 'ethtool', 'iproute2', 'iptables', 'kmod', 'socat'];
  const carrying = (some: readonly string[]): Bundle => {
    const { dir, lock } = complete();
    const hostPackages = some.map((name) => ({ name, version: '1', os: 'debian-12', sha256: '', size: 0 }));
    return { dir, lock: { ...lock, hostPackages } };
  };
  expect(await lackingFor(install, carrying(names))).toEqual([]);
  expect(leavesPackagesToRepositories(install, carrying(names))).toBe(false);
  expect(await lackingFor(install, carrying(names.filter((name) => name !== 'socat')))).toEqual([
    expect.objectContaining({ kind: 'host package', name: 'socat (debian-12)' }),
  ]);
  expect(await lackingFor(install, complete())).toEqual([]);
  expect(leavesPackagesToRepositories(install, complete())).toBe(true);
  expect(leavesPackagesToRepositories(config(), complete())).toBe(false);
});

test('images of the network’s and the add-ons’ manifests count too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keelson-complete-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const pod = (name: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: x, image: r.example/${name}:1}]}\n`;
  for (const name of ['net', 'metrics']) await writeFile(join(folder, `${name}.yaml`), pod(name));
  const cluster = `${CLUSTER}  network: {plugin: manifest, manifests: [{file: ${folder}/net.yaml}]}
  addons:
    - {name: metrics, manifests: [{file: ${folder}/metrics.yaml}]}
`;
  expect(await lackingFor(config(KUBEADM, cluster), complete())).toEqual([
    { kind: 'image', name: 'r.example/net:1', neededBy: ['the pod network'] },
    { kind: 'image', name: 'r.example/metrics:1', neededBy: ['the add-on metrics'] },
  ]);
});
