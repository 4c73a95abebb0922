import { describe, expect, it } from 'vitest';
import { cniLeftovers, leftovers, otherCluster } from '../../../../src/phases/preflight/leftovers.js';
import { members, standingOf } from '../../../../src/phases/preflight/standing.js';
import { CP2, config, W1 } from '../../manifests/fixture.js';
import { judge, problems, seen } from './support.js';

const MANIFEST = '/etc/kubernetes/manifests/kube-apiserver.yaml';
const CA = '/etc/kubernetes/pki/ca.crt';

describe('FileAvailable and DirAvailable', () => {
  it('say nothing against an empty host', () => {
    expect(problems(judge(leftovers, { probes: { files: '', directories: '' } }))).toEqual([]);
  });

  it('have the names that kubeadm gives them', () => {
    const probes = { files: `${MANIFEST}\n`, directories: '/var/lib/etcd\n' };
    expect(problems(judge(leftovers, { probes }))).toEqual([
      'error FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml',
      'error DirAvailable--var-lib-etcd',
    ]);
  });

  it('look for the manifests of a control plane on control planes only', () => {
    const names = judge(leftovers, { host: W1 }).map(({ check }) => check);
    expect(names).toEqual([
      'FileAvailable--etc-kubernetes-kubelet.conf',
      'FileAvailable--etc-kubernetes-bootstrap-kubelet.conf',
      'FileAvailable--etc-kubernetes-pki-ca.crt',
    ]);
    const external = config(
      {},
      { etcd: { external: { endpoints: [], caFile: '', certFile: '', keyFile: '' } } },
    );
    expect(judge(leftovers, { config: external }).map(({ check }) => check)).not.toContain(
      'DirAvailable--var-lib-etcd',
    );
  });

  it('take the own CA of the cluster for no leftover', () => {
    const probes = { files: `${CA}\n` };
    const name = 'error FileAvailable--etc-kubernetes-pki-ca.crt';
    expect(
      problems(judge(leftovers, { host: W1, probes, standing: { ca: 'old' }, clusterCa: 'own' })),
    ).toEqual([name]);
    expect(
      problems(judge(leftovers, { host: W1, probes, standing: { ca: 'own' }, clusterCa: 'own' })),
    ).toEqual([]);
  });

  it('are not asked of members', () => {
    expect(judge(leftovers, { member: true, probes: { files: MANIFEST } })).toEqual([]);
  });
});

describe('OtherCluster', () => {
  it('finds nothing on an empty host, and nothing wrong with a member', () => {
    expect(problems(judge(otherCluster, { host: W1 }))).toEqual([]);
    const standing = { kubeletCa: 'own' };
    expect(problems(judge(otherCluster, { host: W1, member: true, standing, clusterCa: 'own' }))).toEqual([]);
  });

  it('refuses a node of another cluster', () => {
    const standing = { kubeletCa: 'theirs' };
    expect(problems(judge(otherCluster, { host: W1, standing, clusterCa: 'own' }))).toEqual([
      'error OtherCluster',
    ]);
    expect(problems(judge(otherCluster, { host: W1, standing }))).toEqual(['error OtherCluster']);
  });

  it('knows other distributions by their directories', () => {
    const [outcome] = judge(otherCluster, { probes: { distributions: '/etc/rancher\n' } });
    expect(outcome?.message).toBe('/etc/rancher is there: k3s or RKE2');
  });
});

describe('DirAvailable--etc-cni-net.d', () => {
  const name = 'DirAvailable--etc-cni-net.d';

  it.each([
    ['', []],
    ['10-flannel.conflist\n', []],
    ['.kubernetes-cni-keep\n', []],
    ['87-podman-bridge.conflist\n', [`warning ${name}`]],
    ['10-calico.conflist\n87-podman-bridge.conflist\n', [`error ${name}`]],
  ])('judges %j', (files, expected) => {
    expect(problems(judge(cniLeftovers, { probes: { files } }))).toEqual(expected);
  });

  it('leaves a network of the user alone', () => {
    const own = config({ spec: { ...config().spec, network: { plugin: 'none' } } });
    expect(judge(cniLeftovers, { config: own, probes: { files: '10-calico.conflist\n' } })).toEqual([]);
  });
});

describe('members', () => {
  const nothing = { journal: false, ca: null, kubeletCa: null };
  const own = { journal: true, ca: 'own', kubeletCa: 'own' };
  const names = (cp1: typeof nothing | typeof own, cp2: object = {}, w1: object = {}) => [
    ...members(
      new Map([
        ['cp1', cp1],
        [CP2.name, { ...nothing, ...cp2 }],
        ['w1', { ...nothing, ...w1 }],
      ]),
      'cp1',
    ),
  ];

  it('are none before the first apply, whatever lies on the hosts', () => {
    expect(names(nothing)).toEqual([]);
    expect(names({ ...own, journal: false } as typeof own, own, own)).toEqual([]);
  });

  it('are the hosts whose kubelet trusts the CA, and those on which work has begun', () => {
    expect(names(own, { kubeletCa: 'own' }, { journal: true })).toEqual(['cp1', 'cp2', 'w1']);
  });

  it('are not hosts of another cluster', () => {
    expect(names(own, { journal: true, kubeletCa: 'theirs' })).toEqual(['cp1']);
  });

  it('include a first control plane on which an apply was broken off', () => {
    expect(members(new Map([['cp1', { ...nothing, journal: true }]]), 'cp1')).toEqual(new Set(['cp1']));
  });

  it('are told from certificates and the journal', () => {
    const kubelet = `${Buffer.from('PEM\n').toString('base64')}\n`;
    expect(standingOf(seen({ journal: 'yes\n', ca: 'PEM\n', kubelet }))).toEqual({
      journal: true,
      ca: 'PEM',
      kubeletCa: 'PEM',
    });
    const none = { code: 1, stdout: '' };
    expect(standingOf(seen({ journal: none, ca: none, kubelet: none }))).toEqual(nothing);
  });
});
