import { describe, expect, it } from 'vitest';
import { etcdHosts, memberSettings, nodeHosts } from '../../../src/config/inventory.js';
import { kubeadmDocuments } from '../../../src/config/print.js';
import { CLUSTER, ETCD_HOSTS, errorOf, KUBEADM, parse, stream } from './support.js';

const WITH_ETCD = `${CLUSTER}${ETCD_HOSTS}`;

describe('hosts of role etcd', () => {
  it("become kubeadm's external etcd, with the client certificate of its guide", () => {
    const config = parse(stream(WITH_ETCD, KUBEADM));
    const endpoints = ['https://10.0.0.11:2379', 'https://10.0.0.12:2379', 'https://10.0.0.13:2379'];
    expect(config.cluster.etcd.external).toEqual({
      endpoints,
      httpEndpoints: endpoints,
      caFile: '/etc/kubernetes/pki/etcd/ca.crt',
      certFile: '/etc/kubernetes/pki/apiserver-etcd-client.crt',
      keyFile: '/etc/kubernetes/pki/apiserver-etcd-client.key',
    });
    expect(config.cluster.etcd.local).toBeUndefined();
    expect(kubeadmDocuments(config)[0]).toMatchObject({ etcd: { external: { endpoints } } });
    expect(kubeadmDocuments(config)[0]).not.toMatchObject({ etcd: { members: expect.anything() } });
  });

  it('run their members as etcd.local says, and are no nodes', () => {
    const config = parse(stream(WITH_ETCD, `${KUBEADM}etcd: {local: {dataDir: /srv/etcd}}\n`));
    const [first] = etcdHosts(config);
    expect(first && memberSettings(config.cluster, first)).toEqual({ dataDir: '/srv/etcd' });
    for (const host of nodeHosts(config)) expect(memberSettings(config.cluster, host)).toBeUndefined();
    expect(nodeHosts(config).map((host) => host.name)).toEqual(['cp1', 'w1']);
  });

  it('write IPv6 endpoints in brackets', () => {
    const text = `${CLUSTER}    - {name: etcd1, role: etcd, address: 10.0.0.11, nodeIP: "fd00::11"}\n`;
    expect(parse(stream(text, KUBEADM)).cluster.etcd.external?.endpoints).toEqual([
      'https://[fd00::11]:2379',
    ]);
  });

  it('exclude an etcd.external of the user’s, and have no labels, taints or API server', () => {
    const external = `${KUBEADM}etcd: {external: {endpoints: ["http://e:2379"]}}\n`;
    expect(errorOf(stream(WITH_ETCD, external)).message).toContain('leave external out');
    const labelled = `${CLUSTER}    - {name: e, role: etcd, address: 10.0.0.11, labels: {a: b}, advertiseAddress: 10.0.0.11}\n`;
    const { message } = errorOf(stream(labelled, KUBEADM));
    expect(message).toContain('spec.hosts[2].labels: a host of role etcd is no node');
    expect(message).toContain('only control planes advertise an API server');
  });

  it('are better odd in number; even control planes are then no matter', () => {
    const two = ETCD_HOSTS.split('\n').slice(0, 2).join('\n');
    const planes = CLUSTER.replace('w1, role: worker', 'cp2, role: control-plane');
    const endpoint = `${KUBEADM}controlPlaneEndpoint: k8s.example:6443\n`;
    expect(parse(stream(`${planes}${two}\n`, endpoint)).notes).toEqual([
      '2 hosts of role etcd tolerate no more failures of etcd than 1: an odd number is better',
    ]);
  });
});
