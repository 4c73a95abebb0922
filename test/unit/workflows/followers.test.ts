import { describe, expect, it } from 'vitest';
import { withAbsent } from '../../../src/config/inventory.js';
import type { ClusterConfig } from '../../../src/config/types.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { HAPROXY_BINARY, HAPROXY_CONFIG, HAPROXY_UNIT } from '../../../src/manifests/endpoint/haproxy.js';
import { planFollowers, runFollowers } from '../../../src/workflows/followers.js';
import { runPhases } from '../../../src/workflows/phase-run.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { createFakeApi, type FakeApi } from '../../fakes/fake-api.js';
import { CLUSTER, KUBEADM, parse, stream } from '../config/support.js';
import { clusterWithEtcd, type FakeSession, fakeSession } from './fixture.js';

const API_SERVER = '/etc/kubernetes/manifests/kube-apiserver.yaml';

/** cp1, cp2 and w1 with HAProxy on each. */
const balanced = (): ClusterConfig =>
  parse(
    stream(
      `${CLUSTER.replace('    - {name: w1', '    - {name: cp2, role: control-plane, address: 10.0.0.3}\n    - {name: w1')}  endpoint: {provider: node-local}\n`,
      `${KUBEADM}encryptionAlgorithm: ECDSA-P256\n`,
    ),
  );

function withFile<S extends FakeSession>(session: S, path: string, ...hosts: string[]): S {
  const file = { content: Buffer.from('before'), mode: 0o600, owner: 'root:root', type: 'file' } as const;
  const unit = { unit: HAPROXY_UNIT, load: 'loaded', active: 'active', sub: 'running', enabled: 'enabled' };
  for (const host of hosts) {
    for (const at of [path, HAPROXY_BINARY]) session.fakes.get(host)?.files.set(at, { ...file });
    session.fakes.get(host)?.units.set(HAPROXY_UNIT, unit);
  }
  return session;
}

/** A cluster whose API and CA are there, in which the file has that host as absent. */
async function withoutHost(config: ClusterConfig, name: string): Promise<FakeSession & { api: FakeApi }> {
  const session = fakeSession(withAbsent(config, [name]));
  const api = createFakeApi();
  const known = { ...session, context: { ...session.context, api: () => api }, api };
  await runPhases(known, { phases: phasesNamed('certs/ca'), owner: 'me' });
  return known;
}
const options = (session: FakeSession) => ({ run: 'node remove', emit: session.emit });

describe('hosts that stay', () => {
  it('send no more to a control plane that leaves', async () => {
    const session = withFile(await withoutHost(balanced(), 'cp2'), HAPROXY_CONFIG, 'cp1', 'w1');
    const followers = await planFollowers(session, 'control-plane', ['cp2']);
    await runFollowers(session, followers, options(session));
    for (const host of ['cp1', 'w1']) {
      const text = session.fakes.get(host)?.files.get(HAPROXY_CONFIG)?.content.toString();
      expect(text).toContain('server cp1 ');
      expect(text).not.toContain('cp2');
    }
  });

  it('name another first control plane in cluster-info, where the endpoint has no address of its own', async () => {
    const session = withFile(await withoutHost(balanced(), 'cp1'), HAPROXY_CONFIG, 'cp2');
    await runFollowers(session, await planFollowers(session, 'control-plane', ['cp1']), options(session));
    const info = session.api.objects.get('/api/v1/namespaces/kube-public/configmaps/cluster-info');
    expect(JSON.stringify(info)).toContain('https://10.0.0.3:6443');
  });

  it('have nothing to do for a worker, and nothing where no balancer stands yet', async () => {
    const session = withFile(fakeSession(balanced()), HAPROXY_CONFIG, 'cp1');
    expect((await planFollowers(session, 'worker', ['w1'])).tasks).toEqual([]);
    const followers = await planFollowers(session, 'control-plane', []);
    expect(new Set(followers.tasks.map(({ host }) => host))).toEqual(new Set(['cp1', '']));
  });

  it('are named where they can’t be reached, and keep nobody from going on', async () => {
    const session = withFile(await withoutHost(balanced(), 'cp2'), HAPROXY_CONFIG, 'cp1');
    const reach = async () => new Map([['w1', new KeelsonError('CONNECTION', 'no route')]]);
    const readers = new Map([...session.readers].filter(([name]) => name !== 'w1'));
    const { hosts } = await planFollowers({ ...session, reach, readers }, 'control-plane', ['cp2']);
    expect(hosts.map(({ name }) => name)).toEqual(['cp1']);
    expect(session.events).toContainEqual(
      expect.objectContaining({ type: 'note', host: 'w1', text: expect.stringContaining('next apply') }),
    );
  });

  it('point their API servers to the etcd members that stay, and wait for each', async () => {
    const session = withFile(await withoutHost(clusterWithEtcd(), 'etcd2'), API_SERVER, 'cp1');
    const { tasks } = await planFollowers(session, 'etcd', ['etcd2']);
    const [task] = tasks;
    expect(task).toMatchObject({ phase: 'control-plane/apiserver', host: 'cp1', standing: 'drifted' });
    expect(task?.changes).toMatchObject([
      { kind: 'file', path: API_SERVER, disrupts: true },
      { kind: 'action', name: 'await-kube-apiserver' },
    ]);
    const [file] = task?.changes ?? [];
    const text = file?.kind === 'file' && file.content?.kind === 'text' ? file.content.text : '';
    expect(text).toContain('--etcd-servers=https://10.0.0.11:2379,https://10.0.0.13:2379');
  });
});
