import { describe, expect, it } from 'vitest';
import { authoritiesOf, hostPaths, keyIsElsewhere, leavesOf, sharedPaths } from '../../../src/pki/table.js';
import { scope } from './fixtures.js';

const EXTERNAL = { endpoints: ['https://10.0.0.9:2379'], caFile: '/a', certFile: '/b', keyFile: '/c' };

describe('the certificate table', () => {
  it('names the files that control planes share, under certificatesDir', () => {
    const { cluster } = scope({ cluster: { certificatesDir: '/srv/pki' } });
    expect(sharedPaths(cluster)).toEqual([
      '/srv/pki/ca.crt',
      '/srv/pki/ca.key',
      '/srv/pki/front-proxy-ca.crt',
      '/srv/pki/front-proxy-ca.key',
      '/srv/pki/etcd/ca.crt',
      '/srv/pki/etcd/ca.key',
      '/srv/pki/sa.key',
      '/srv/pki/sa.pub',
    ]);
  });

  it('has nothing of etcd where etcd is external', () => {
    const { cluster } = scope({ cluster: { etcd: { external: EXTERNAL } } });
    const names = [...authoritiesOf(cluster), ...leavesOf(cluster)].map((row) => row.name);
    expect(names).toEqual([
      'ca',
      'front-proxy-ca',
      'apiserver',
      'apiserver-kubelet-client',
      'front-proxy-client',
    ]);
    expect([...sharedPaths(cluster), ...hostPaths(cluster)].filter((path) => path.includes('etcd'))).toEqual(
      [],
    );
  });

  it('has etcd on hosts of role etcd, with its CA, and a client of it on control planes, without the CA key', () => {
    const cluster = { ...scope().cluster, etcd: { external: EXTERNAL, members: { dataDir: '/d' } } };
    expect(sharedPaths(cluster, 'etcd')).toEqual([
      '/etc/kubernetes/pki/etcd/ca.crt',
      '/etc/kubernetes/pki/etcd/ca.key',
    ]);
    expect(leavesOf(cluster, 'etcd').map((row) => row.name)).toEqual([
      'etcd-server',
      'etcd-peer',
      'etcd-healthcheck-client',
    ]);
    expect(leavesOf(cluster).filter((row) => row.authority === 'etcd-ca')).toHaveLength(1);
    expect(keyIsElsewhere(cluster, 'control-plane', 'etcd-ca')).toBe(true);
    expect(keyIsElsewhere(cluster, 'etcd', 'etcd-ca')).toBe(false);
    expect(keyIsElsewhere(scope().cluster, 'control-plane', 'etcd-ca')).toBe(false);
  });

  it.each([
    ['v1.34.4', ['kubeadm:cluster-admins']],
    ['v1.35.4', ['kubeadm:cluster-admins']],
    ['v1.36.1', []],
    ['v1.36.3', []],
    ['v1.37.0-alpha.1', []],
  ])("gives the API server's kubelet client of %s the groups %j", (kubernetesVersion, expected) => {
    const given = scope({ kubernetesVersion });
    const row = leavesOf(given.cluster).find(({ name }) => name === 'apiserver-kubelet-client');
    expect(row?.organizations(given)).toEqual(expected);
  });

  it('names the kubeconfigs of a joining control plane only where they are asked for', () => {
    const { cluster } = scope();
    expect(hostPaths(cluster, ['scheduler']).filter((path) => path.endsWith('.conf'))).toEqual([
      '/etc/kubernetes/scheduler.conf',
    ]);
  });
});
