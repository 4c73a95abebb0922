import { describe, expect, it } from 'vitest';
import { etcdHosts, memberSettings, nodeHosts } from '../../../src/config/inventory.js';
import { kubeadmDocuments, printConfig } from '../../../src/config/print.js';
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

describe('spec.externalEtcd', () => {
  const LOCAL = `${CLUSTER}  externalEtcd: {caFile: etcd/ca.crt, certFile: ~/c.crt, keyFile: /k}\n`;
  const FULL = `${KUBEADM}etcd: {external: {endpoints: ["https://e:2379"], caFile: /a, certFile: /b, keyFile: /c}}\n`;

  it('names files on the operator’s machine, and is the same after printing and reading', () => {
    const config = parse(stream(LOCAL, FULL));
    expect(config.spec.externalEtcd).toEqual({
      caFile: '/etc/keelson/etcd/ca.crt',
      certFile: '/home/op/c.crt',
      keyFile: '/k',
    });
    expect(parse(printConfig(config)).spec).toEqual(config.spec);
  });

  it('needs to know where they go', () => {
    expect(errorOf(stream(LOCAL, KUBEADM)).message).toContain('needs caFile, certFile and keyFile');
  });
});

describe('addresses of two families', () => {
  const NETWORKING = '{podSubnet: "10.244.0.0/16,fd00:1::/56", serviceSubnet: "10.96.0.0/16,fd00:2::/112"}';
  const dual = KUBEADM.replace('{podSubnet: 10.244.0.0/16}', NETWORKING);
  const both = CLUSTER.replaceAll(/address: (10\.0\.0\.(\d))/g, 'address: $1, nodeIP: "$1,fc00::000$2"');

  it('are told to the kubelet, canonical', () => {
    const [cp1] = parse(stream(both, dual)).hosts;
    expect(cp1).toMatchObject({ nodeIP: '10.0.0.1', secondaryNodeIP: 'fc00::1' });
    expect(cp1?.nodeRegistration.kubeletExtraArgs).toEqual([{ name: 'node-ip', value: '10.0.0.1,fc00::1' }]);
  });

  it('leave a --node-ip of the user’s as it is', () => {
    const own = 'nodeRegistration: {kubeletExtraArgs: [{name: node-ip, value: 10.0.0.1}]}';
    const text = stream(both.replace('nodeIP: "10.0.0.1', `${own}, nodeIP: "10.0.0.1`), dual);
    expect(parse(text).hosts[0]?.nodeRegistration.kubeletExtraArgs).toEqual([
      { name: 'node-ip', value: '10.0.0.1' },
    ]);
  });

  it('are the same after printing and reading', () => {
    const config = parse(stream(both, dual));
    expect({ ...parse(printConfig(config)), notes: [] }).toEqual({ ...config, notes: [] });
  });

  it('are needed where pods have both, the first of the family that services have first', () => {
    expect(errorOf(stream(CLUSTER, dual)).message).toContain('pods have IPv6 addresses, and cp1 has none');
    const swapped = both.replaceAll(/nodeIP: "([^,]+),([^"]+)"/g, 'nodeIP: "$2,$1"');
    expect(errorOf(stream(swapped, dual)).message).toContain(
      'the API server would advertise fc00::1, but services have IPv4 addresses first',
    );
    const same = CLUSTER.replace('address: 10.0.0.1', 'address: 10.0.0.1, nodeIP: "10.0.0.1,10.0.0.9"');
    expect(errorOf(stream(same, KUBEADM)).message).toContain('one of IPv4 and one of IPv6');
  });
});
