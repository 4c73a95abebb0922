import { mkdtemp, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { clusterFileText, withEndpoint, withHosts, writeClusterFile } from '../../../src/lab/cluster-file.js';
import { parseLabNetwork, withNetwork } from '../../../src/lab/lab-network.js';
import type { LabNode } from '../../../src/lab/types.js';

const node = (name: string, address: string): LabNode => ({
  name,
  role: name.startsWith('cp') ? 'control-plane' : 'worker',
  address,
  machineId: '0'.repeat(32),
});
const cp1 = node('cp1', '10.88.0.11');
const w1 = node('w1', '10.88.0.21');
const w2 = node('w2', '10.88.0.22');
const spec = {
  name: 'lab',
  nodes: [cp1, w1],
  kubernetesVersion: 'v1.36.3',
  bundle: '../../bundle',
  cgroupVersion: 1 as const,
  virtualAddress: '10.88.0.10',
};

const documentsOf = (text: string) => [...parseAllDocuments(text)].map((document) => document.toJS());

describe("the lab's cluster.yaml", () => {
  it('describes the machines, with paths that count from the file', () => {
    const [cluster, kubeadm] = documentsOf(clusterFileText(spec));
    expect(cluster.spec.hosts).toEqual([
      { name: 'cp1', role: 'control-plane', address: '10.88.0.11' },
      { name: 'w1', role: 'worker', address: '10.88.0.21' },
    ]);
    expect(cluster.spec.ssh).toEqual({
      user: 'root',
      identityFile: './id_ed25519',
      knownHostsFile: './known_hosts',
    });
    expect(kubeadm).toEqual({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: 'v1.36.3',
      networking: { podSubnet: '10.244.0.0/16' },
      controllerManager: {
        extraArgs: [
          { name: 'kube-api-qps', value: '200' },
          { name: 'kube-api-burst', value: '400' },
        ],
      },
    });
  });

  it('asks for cgroup v1 only where this computer has it', () => {
    const [cluster, , kubelet] = documentsOf(clusterFileText(spec));
    expect(kubelet.failCgroupV1).toBe(false);
    expect(cluster.spec.ignorePreflightErrors).toEqual(['SystemVerification']);
    const [modern, , modernKubelet] = documentsOf(clusterFileText({ ...spec, cgroupVersion: 2 }));
    expect(modernKubelet).not.toHaveProperty('failCgroupV1');
    expect(modern.spec).not.toHaveProperty('ignorePreflightErrors');
  });

  it('is left as it is, byte for byte, while its hosts are right', () => {
    const edited = clusterFileText(spec).replace('backend: vxlan', 'backend:   host-gw # mine');
    expect(withHosts(edited, spec.nodes)).toBe(edited);
  });

  it('gets new hosts added and addresses corrected, and keeps what the user wrote', () => {
    const edited = clusterFileText(spec)
      .replace('role: worker', 'role: worker # mine\n      labels: {disk: ssd}')
      .replace('10.88.0.11', '10.88.7.11');
    const text = withHosts(edited, [cp1, w1, w2]);
    expect(text).toContain('# mine');
    const documents = documentsOf(text);
    expect(documents).toHaveLength(4);
    expect(documents[0].spec.hosts).toEqual([
      { name: 'cp1', role: 'control-plane', address: '10.88.0.11' },
      { name: 'w1', role: 'worker', labels: { disk: 'ssd' }, address: '10.88.0.21' },
      { name: 'w2', role: 'worker', address: '10.88.0.22' },
    ]);
  });

  it.each(['kind: [', 'kind: Other\n', 'kind: Cluster\nspec: {hosts: none}\n', ''])(
    'is not touched where it can not be read: %j',
    (text) => {
      expect(withHosts(text, spec.nodes)).toBe(text);
    },
  );

  it('has the endpoint that was asked for, and a name of all control planes where none was', () => {
    const endpointOf = (more: object) => documentsOf(clusterFileText({ ...spec, ...more }))[0].spec.endpoint;
    const cp2 = node('cp2', '10.88.0.12');
    expect(endpointOf({})).toBeUndefined();
    expect(endpointOf({ nodes: [cp1, cp2] })).toEqual({
      provider: 'external',
      address: 'api.keelson.internal',
    });
    expect(endpointOf({ endpoint: 'keepalived-haproxy' })).toEqual({
      provider: 'keepalived-haproxy',
      address: '10.88.0.10',
    });
    expect(endpointOf({ endpoint: 'node-local' })).toEqual({ provider: 'node-local', expose: true });
  });

  it('gets another endpoint in place of its own, which stays as it was edited where it is the same', () => {
    const before = clusterFileText({ ...spec, endpoint: 'node-local' }).replace(
      'kubernetesVersion: v1.36.3',
      'kubernetesVersion: v1.36.3 # mine\ncontrolPlaneEndpoint: api.keelson.internal:6443',
    );
    expect(withEndpoint(before, 'node-local', '10.88.0.10')).toBe(before);
    const after = withEndpoint(before, 'keepalived-haproxy', '10.88.0.10');
    expect(after).toContain('# mine');
    const [cluster, kubeadm] = documentsOf(after);
    expect(cluster.spec.endpoint).toEqual({ provider: 'keepalived-haproxy', address: '10.88.0.10' });
    expect(kubeadm).not.toHaveProperty('controlPlaneEndpoint');
  });

  it('is written once and then kept', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'keelson-')), 'cluster.yaml');
    expect(await writeClusterFile(path, spec)).toBe('written');
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    expect(await writeClusterFile(path, spec)).toBe('kept');
    expect(await writeClusterFile(path, { ...spec, nodes: [cp1, w1, w2] })).toBe('updated');
    expect(await readFile(path, 'utf8')).toContain('10.88.0.22');
  });
});

describe('the network of a lab', () => {
  it('has shorthands', () => {
    expect(parseLabNetwork('flannel')).toEqual({ plugin: 'flannel', backend: 'vxlan' });
    expect(parseLabNetwork('flannel:host-gw')).toEqual({ plugin: 'flannel', backend: 'host-gw' });
    expect(parseLabNetwork('flannel:vxlan+direct+nftables')).toEqual({
      plugin: 'flannel',
      backend: 'vxlan',
      directRouting: true,
      nftables: true,
    });
    expect(parseLabNetwork('none')).toEqual({ plugin: 'none' });
    expect(parseLabNetwork('calico:bgp', '/c.yaml')).toEqual({
      plugin: 'calico',
      calico: { manifest: { file: '/c.yaml' }, mode: 'bgp', mtuInterfacePattern: '^host0$' },
    });
  });

  it.each(['cilium', 'calico:bgp', 'flannel:udp', 'flannel:vxlan+fast', 'none:x', ''])(
    '%s is none',
    (text) => {
      expect(() => parseLabNetwork(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  it('takes the place of the one in the file, as kube-proxy’s mode does, and nothing else changes', () => {
    const before = clusterFileText(spec).replace('role: worker', 'role: worker # mine');
    const network = { plugin: 'flannel', backend: 'host-gw' };
    const text = withNetwork(before, { network, proxyMode: 'nftables' });
    expect(text).toContain('# mine');
    const [cluster, , , proxy] = documentsOf(text);
    expect(cluster.spec.network).toEqual(network);
    expect(proxy).toMatchObject({ mode: 'nftables', conntrack: { maxPerCore: 0 } });
    expect(withNetwork(text, { network, proxyMode: 'nftables' })).toBe(text);
    expect(withNetwork(text, {})).toBe(text);
  });
});
