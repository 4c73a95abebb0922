import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import { etcdPod } from '../../../../src/manifests/static-pods/etcd.js';
import { staticPods } from '../../../../src/manifests/static-pods/static-pods.js';
import { externalEtcdMounts } from '../../../../src/manifests/static-pods/volumes.js';
import { CP1, CP2, config, W1 } from '../fixture.js';

const none = { caDirectories: [] };
const command = (pod: Pod | undefined) => pod?.spec?.containers[0]?.command ?? [];
const container = (pod: Pod | undefined) => pod?.spec?.containers[0];

describe('etcd', () => {
  it('starts as a cluster of its own on the first control plane', () => {
    const args = command(etcdPod(config(), CP1));
    expect(args).toContain('--initial-cluster=cp1=https://10.88.0.11:2380');
    expect(args.filter((arg) => arg.startsWith('--initial-cluster-state'))).toEqual([]);
  });

  it('joins the given members', () => {
    const initialCluster = [
      { name: 'cp1', peerURL: 'https://10.88.0.11:2380' },
      { name: 'cp2', peerURL: 'https://10.88.0.12:2380' },
    ];
    const args = command(etcdPod(config(), CP2, { initialCluster }));
    expect(args).toContain('--initial-cluster=cp1=https://10.88.0.11:2380,cp2=https://10.88.0.12:2380');
    expect(args).toContain('--initial-cluster-state=existing');
    expect(args).toContain('--name=cp2');
  });

  it('starts a new cluster of several members if asked', () => {
    const initialCluster = [{ name: 'cp1', peerURL: 'https://10.88.0.11:2380' }];
    const args = command(etcdPod(config(), CP1, { initialCluster, initialClusterState: 'new' }));
    expect(args.filter((arg) => arg.startsWith('--initial-cluster-state'))).toEqual([]);
  });

  it('has no pod where etcd is external', () => {
    const external = {
      endpoints: ['https://10.0.0.5:2379'],
      caFile: '/e/ca',
      certFile: '/e/crt',
      keyFile: '/e/key',
    };
    const outside = config({}, { etcd: { external } });
    expect([...staticPods(outside, CP1, none).keys()]).not.toContain('etcd');
    expect(() => etcdPod(outside, CP1)).toThrow(expect.objectContaining({ code: 'BUG' }));
  });
});

describe('static pods', () => {
  it('have no place on a worker', () => {
    expect(() => staticPods(config(), W1, none)).toThrow(
      expect.objectContaining({ code: 'BUG', host: 'w1' }),
    );
  });

  it('give the controller manager no CA key where the CA is external', () => {
    const pod = staticPods(config(), CP1, { ...none, externalCA: true }).get('kube-controller-manager');
    expect(command(pod)).toContain('--cluster-signing-key-file=');
    expect(command(pod)).toContain('--cluster-signing-cert-file=');
  });

  it('mount only the CA directories that the host has', () => {
    const pods = staticPods(config(), CP1, { caDirectories: ['/etc/pki/tls/certs', '/home'] });
    const mounts = container(pods.get('kube-apiserver'))?.volumeMounts?.map((mount) => mount.mountPath);
    expect(mounts).toEqual(['/etc/ssl/certs', '/etc/pki/tls/certs', '/etc/kubernetes/pki']);
  });

  it('take the startup time of joining control planes from the join timeouts', () => {
    const { joinTimeouts } = config();
    const slow = config({ joinTimeouts: { ...joinTimeouts, controlPlaneComponentHealthCheck: '10m1s' } });
    const threshold = (host: typeof CP1) =>
      container(staticPods(slow, host, none).get('kube-scheduler'))?.startupProbe?.failureThreshold;
    expect(threshold(CP1)).toBe(24);
    expect(threshold(CP2)).toBe(61);
  });

  it('refuse the feature gate that would need users made on each host', () => {
    const rootless = config({}, { featureGates: { RootlessControlPlane: true } });
    expect(() => staticPods(rootless, CP1, none)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('externalEtcdMounts', () => {
  const directories = (caFile: string, certFile: string, keyFile: string) =>
    externalEtcdMounts({ endpoints: [], caFile, certFile, keyFile }, '/etc/kubernetes/pki').map(
      (m) => m.hostPath,
    );

  it('mounts each directory once and none inside another', () => {
    expect(directories('/a/b/ca.crt', '/a/client.crt', '/a/b/c/client.key')).toEqual(['/a']);
    expect(directories('/z/ca.crt', '/a/client.crt', '/a/client.key')).toEqual(['/a', '/z']);
  });

  it('leaves out what is mounted anyway, and paths that are not given', () => {
    expect(directories('/etc/ssl/certs/ca.crt', '/etc/kubernetes/pki/x.crt', '')).toEqual([]);
  });
});
