import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../../src/cluster/client.js';
import { apiError } from '../../../src/cluster/client.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { statusText } from '../../../src/report/status-text.js';
import { applyCluster } from '../../../src/workflows/apply.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { clusterStatus } from '../../../src/workflows/status.js';
import { clusterView } from '../../../src/workflows/status-cluster.js';
import { hostStatus } from '../../../src/workflows/status-hosts.js';
import { createFakeHost } from '../../fakes/fake-host.js';
import { fakeSession } from './fixture.js';

describe('clusterStatus', () => {
  it('shows a host that cannot be reached beside the others', async () => {
    const session = fakeSession();
    const hosts = new Map([...session.hosts].filter(([name]) => name !== 'w1'));
    const failures = new Map([['w1', new KeelsonError('CONNECTION', 'did not answer')]]);
    const status = await clusterStatus({ ...session, hosts, readers: hosts, failures });
    expect(status.hosts.map(({ name, reachable }) => [name, reachable])).toEqual([
      ['cp1', true],
      ['w1', false],
    ]);
    expect(status.healthy).toBe(false);
    expect(status.problems).toContain("w1 can't be reached: did not answer");
    expect(statusText(status)).toMatch(/w1 +worker +unreachable/);
  });

  it('says that nothing runs on hosts without a cluster', async () => {
    const status = await clusterStatus(fakeSession());
    expect(status.api).toEqual({ reachable: false, readyz: 'no admin identity was found' });
    expect(status.controlPlane.map(({ component, state }) => `${component} ${state}`)).toEqual([
      'etcd stopped',
      'kube-apiserver stopped',
      'kube-controller-manager stopped',
      'kube-scheduler stopped',
    ]);
    expect(status.certificates).toEqual({ soonest: null, expiring: [] });
    expect(status.drift.changes).toBeGreaterThan(10);
  });

  it('changes nothing', async () => {
    const session = fakeSession();
    await clusterStatus(session);
    for (const host of session.fakes.values()) expect(host.mutations()).toEqual([]);
  });
});

describe('hostStatus', () => {
  it('reads versions, units, programs and certificates in one round trip', async () => {
    const session = fakeSession();
    await applyCluster(session, { phases: phasesNamed('certs'), owner: 'me', preflight: false });
    const pem = session.fakes.get('cp1')?.files.get('/etc/kubernetes/pki/apiserver.crt')?.content.toString();
    const host = createFakeHost({
      name: 'cp1',
      units: { 'kubelet.service': { active: 'active' }, 'containerd.service': { active: 'failed' } },
    });
    host.on('?uptime', { stdout: '7200\n' });
    host.on('?kubelet', { stdout: 'Kubernetes v1.36.3\n' });
    host.on('?containerd', { stdout: 'containerd github.com/containerd/containerd/v2 v2.2.1 abc\n' });
    host.on('?processes', { stdout: 'etcd\nkube-controller\n' });
    host.on('?certificates', { stdout: `file /pki/apiserver.crt\n${pem}file /pki/broken.crt\nnothing\n` });
    const now = Date.now() + 340 * 86_400_000;
    const { status, certificates } = await hostStatus(host, 'control-plane', undefined, {
      now,
      certificatesDir: '/pki',
    });
    expect(status).toMatchObject({
      kubelet: 'active',
      kubeletVersion: 'v1.36.3',
      containerd: 'failed',
      containerdVersion: 'v2.2.1',
      uptimeSeconds: 7200,
      processes: ['etcd', 'kube-controller-manager'],
    });
    expect(certificates).toMatchObject([{ host: 'cp1', path: '/pki/apiserver.crt', daysLeft: 24 }]);
    expect(host.calls).toHaveLength(1);
  });
});

describe('clusterView', () => {
  const pod = (component: string, ready: string) => ({
    metadata: { name: `${component}-cp1`, labels: { component } },
    spec: { nodeName: 'cp1' },
    status: { conditions: [{ type: 'Ready', status: ready }] },
  });
  const client = (readyz: () => Promise<unknown>) =>
    ({
      request: readyz,
      list: async (path: string) => {
        if (path.includes('/pods')) return [pod('etcd', 'True'), pod('kube-scheduler', 'False')];
        if (path.includes('/nodes')) {
          const labels = { 'node-role.kubernetes.io/control-plane': '' };
          const conditions = [{ type: 'Ready', status: 'False', message: 'no network' }];
          return [
            {
              metadata: { name: 'cp1', labels },
              status: { conditions, nodeInfo: { kubeletVersion: 'v1.36.3' } },
            },
          ];
        }
        if (path.includes('daemonsets')) {
          return [
            { metadata: { name: 'kube-proxy' }, status: { numberReady: 1, desiredNumberScheduled: 2 } },
          ];
        }
        return [{ metadata: { name: 'coredns' }, spec: { replicas: 2 }, status: {} }];
      },
    }) as unknown as ClusterClient;

  it('is what the API says of nodes, pods and add-ons', async () => {
    const view = await clusterView(client(async () => ({ body: '[+]ping ok\nreadyz check passed\n' })));
    expect(view).toEqual({
      api: { reachable: true, readyz: 'ok' },
      nodes: [
        { name: 'cp1', ready: false, reason: 'no network', version: 'v1.36.3', roles: ['control-plane'] },
      ],
      readyPods: new Set(['etcd@cp1']),
      addons: [
        { name: 'kube-proxy', ready: 1, wanted: 2 },
        { name: 'coredns', ready: 0, wanted: 2 },
      ],
    });
  });

  it('names the checks of an API that is not ready', async () => {
    const failing = apiError('GET', '/readyz', 500, '[+]ping ok\n[-]etcd failed: reason withheld\n');
    const view = await clusterView(client(() => Promise.reject(failing)));
    expect(view.api).toEqual({ reachable: true, readyz: 'not ready: etcd' });
  });

  it('tells why an API does not answer', async () => {
    const dead = new KeelsonError('CONNECTION', 'refused', { retryable: true });
    const view = await clusterView(client(() => Promise.reject(dead)));
    expect(view.api).toEqual({ reachable: false, readyz: 'refused' });
  });
});
