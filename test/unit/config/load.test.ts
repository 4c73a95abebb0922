import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadClusterConfig, parseClusterConfig } from '../../../src/config/load.js';
import { CLUSTER, errorOf, KUBEADM, parse, stream } from './support.js';

const INIT = 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n';
const JOIN = 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n';

describe('a configuration', () => {
  test('has the defaults of kubeadm 1.36.3', () => {
    const { cluster, init, joinTimeouts, hosts } = parse(stream(CLUSTER, KUBEADM));
    expect(cluster).toEqual({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: 'v1.36.3',
      clusterName: 'kubernetes',
      imageRepository: 'registry.k8s.io',
      certificatesDir: '/etc/kubernetes/pki',
      encryptionAlgorithm: 'RSA-2048',
      certificateValidityPeriod: '8760h0m0s',
      caCertificateValidityPeriod: '87600h0m0s',
      networking: { dnsDomain: 'cluster.local', serviceSubnet: '10.96.0.0/12', podSubnet: '10.244.0.0/16' },
      apiServer: {},
      controllerManager: {},
      scheduler: {},
      etcd: { local: { dataDir: '/var/lib/etcd' } },
      dns: {},
      proxy: {},
    });
    expect(init.timeouts).toEqual({
      controlPlaneComponentHealthCheck: '4m0s',
      kubeletHealthCheck: '4m0s',
      kubernetesAPICall: '1m0s',
      etcdAPICall: '2m0s',
      tlsBootstrap: '5m0s',
      discovery: '5m0s',
      upgradeManifests: '5m0s',
    });
    expect(joinTimeouts).toEqual(init.timeouts);
    expect(hosts[0]?.nodeRegistration).toEqual({
      name: 'cp1',
      criSocket: 'unix:///var/run/containerd/containerd.sock',
      imagePullPolicy: 'IfNotPresent',
      imagePullSerial: true,
    });
    expect(hosts.map((host) => host.localAPIEndpoint)).toEqual([
      { advertiseAddress: '10.0.0.1', bindPort: 6443 },
      null,
    ]);
  });

  test('is frozen through and through', () => {
    const config = parse(stream(CLUSTER, KUBEADM));
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.hosts[0]?.ssh.jumpHosts)).toBe(true);
    expect(Object.isFrozen(config.cluster.networking)).toBe(true);
  });

  test('takes a version without v, empty fields as missing, and durations as Go prints them', () => {
    const { cluster } = parse(
      stream(
        CLUSTER,
        KUBEADM.replace('v1.36.3', '1.36.3') +
          'imageRepository: ""\ncontrolPlaneEndpoint: ""\napiServer:\ncertificateValidityPeriod: 24h\n',
      ),
    );
    expect(cluster.kubernetesVersion).toBe('v1.36.3');
    expect(cluster.imageRepository).toBe('registry.k8s.io');
    expect(cluster.controlPlaneEndpoint).toBeUndefined();
    expect(cluster.apiServer).toEqual({});
    expect(cluster.certificateValidityPeriod).toBe('24h0m0s');
  });

  test('applies InitConfiguration to the first control plane, JoinConfiguration to all others, hosts before both', () => {
    const hosts = `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
    - {name: w1, role: worker, address: 10.0.0.4, taints: [{key: gpu, effect: NoSchedule}]}
    - {name: old, role: control-plane, address: 10.0.0.9, state: absent}
    - {name: cp1, role: control-plane, address: 10.0.0.1}
    - name: cp2
      role: control-plane
      address: 10.0.0.2
      advertiseAddress: 192.168.0.2
      nodeRegistration: {kubeletExtraArgs: [{name: v, value: "5"}]}
`;
    const { hosts: resolved } = parse(
      stream(
        hosts,
        `${KUBEADM}controlPlaneEndpoint: lb:6443\n`,
        `${INIT}localAPIEndpoint: {bindPort: 7443}\nnodeRegistration: {taints: [], imagePullSerial: false}\npatches: {directory: p}\n`,
        `${JOIN}nodeRegistration: {kubeletExtraArgs: [{name: v, value: "2"}, {name: max-pods, value: "9"}]}\n`,
      ),
    );
    const of = (name: string) => resolved.find((host) => host.name === name);
    expect(of('cp1')?.nodeRegistration).toMatchObject({ taints: [], imagePullSerial: false });
    expect(of('cp1')?.patchesDirectory).toBe('/etc/keelson/p');
    expect(of('cp2')?.nodeRegistration.kubeletExtraArgs).toEqual([
      { name: 'max-pods', value: '9' },
      { name: 'v', value: '5' },
    ]);
    expect(of('cp2')?.localAPIEndpoint).toEqual({ advertiseAddress: '192.168.0.2', bindPort: 7443 });
    expect(of('cp2')?.patchesDirectory).toBeNull();
    expect(of('w1')?.nodeRegistration.taints).toEqual([{ key: 'gpu', effect: 'NoSchedule' }]);
  });

  test('resolves paths against its own folder and the home folder', () => {
    const spec =
      '  bundle: ./b\n  ssh: {identityFile: ~/.ssh/id, knownHostsFile: [kh, /k2], useSshConfig: false, port: 2222}\n';
    const config = parse(stream(CLUSTER + spec, KUBEADM), { SSH_AUTH_SOCK: '/run/agent' });
    expect(config.file).toBe('/etc/keelson/c.yaml');
    expect(config.spec.bundle).toBe('/etc/keelson/b');
    expect(config.hosts[0]?.ssh).toEqual({
      address: '10.0.0.1',
      port: 2222,
      user: 'root',
      identityFile: '/home/op/.ssh/id',
      knownHostsFiles: ['/etc/keelson/kh', '/k2'],
      jumpHosts: [],
      agent: true,
      useSshConfig: false,
    });
  });

  test('leaves user, port and known_hosts open where ssh_config is to be asked', () => {
    const { ssh } = parse(stream(CLUSTER, KUBEADM)).hosts[0] ?? {};
    expect(ssh).toMatchObject({ useSshConfig: true, user: '', port: 0, knownHostsFiles: [], agent: false });
  });

  test("derives containerd's cgroup driver from the kubelet's", () => {
    const kubelet =
      'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupDriver: cgroupfs\n';
    expect(parse(stream(CLUSTER, KUBEADM)).spec.runtime.systemdCgroup).toBe(true);
    const config = parse(stream(CLUSTER, KUBEADM, kubelet));
    expect(config.spec.runtime.systemdCgroup).toBe(false);
    expect(config.kubelet).toEqual({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      cgroupDriver: 'cgroupfs',
    });
  });

  test('notes what it ignores', () => {
    const upgrade =
      'apiVersion: kubeadm.k8s.io/v1beta4\nkind: UpgradeConfiguration\napply: {anything: true}\n';
    expect(parse(stream(CLUSTER, KUBEADM, upgrade, `${INIT}dryRun: true\n`)).notes).toEqual([
      'UpgradeConfiguration is ignored',
      'InitConfiguration: dryRun is ignored; use `keelson plan`',
    ]);
  });

  test('expands anchors and merge keys', () => {
    const text = CLUSTER.replace(
      '{name: w1, role: worker, address: 10.0.0.2}',
      '&w {name: w1, role: worker, address: 10.0.0.2, labels: {disk: ssd}}\n    - {<<: *w, name: w2, address: 10.0.0.3}',
    );
    expect(parse(stream(text, KUBEADM)).hosts[2]).toMatchObject({
      name: 'w2',
      role: 'worker',
      labels: { disk: 'ssd' },
    });
  });
});

describe('loading', () => {
  test('names the file in errors and starts paths in its folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keelson-config-'));
    try {
      const path = join(folder, 'cluster.yaml');
      await writeFile(path, stream(`${CLUSTER}  bundle: b\n`, KUBEADM));
      expect((await loadClusterConfig(path, { homeDir: '/' })).spec.bundle).toBe(join(folder, 'b'));
      await writeFile(path, 'a: [');
      await expect(loadClusterConfig(path, { homeDir: '/' })).rejects.toThrow(`${path}:1:5`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('says that a file is missing', async () => {
    const loading = loadClusterConfig('/nowhere/c.yaml', { homeDir: '/' });
    await expect(loading).rejects.toMatchObject({
      code: 'CONFIG',
      message: '/nowhere/c.yaml: there is no such file',
    });
  });

  test('of text has no file', () => {
    const config = parseClusterConfig(stream(CLUSTER, KUBEADM), { homeDir: '/', baseDir: '/srv' });
    expect(config.file).toBeNull();
  });
});

test('the details of an error list every problem with its place and suggestion', () => {
  expect(
    errorOf(stream(CLUSTER.replace('spec:', 'spec:\n  hsots: []'), `${KUBEADM}dsn: {}\n`)).details,
  ).toEqual([
    {
      file: 'c.yaml',
      line: 5,
      column: 3,
      path: 'spec.hsots',
      message: 'unknown field; did you mean `hosts`?',
      suggestion: 'hosts',
    },
    {
      file: 'c.yaml',
      line: 14,
      column: 1,
      path: 'dsn',
      message: 'unknown field; did you mean `dns`?',
      suggestion: 'dns',
    },
  ]);
});
