import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../src/cluster/client.js';
import { withAbsent } from '../../../src/config/inventory.js';
import type { EngineEvent } from '../../../src/engine/events.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { applyCluster } from '../../../src/workflows/apply.js';
import { applyObjects } from '../../../src/workflows/apply-objects.js';
import { leavingHosts, planLeaving, reachLeaving } from '../../../src/workflows/leave.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { removeHost } from '../../../src/workflows/remove-node.js';
import { refuseSecondCluster } from '../../../src/workflows/second-cluster.js';
import type { Session } from '../../../src/workflows/session.js';
import { createFakeApi, type FakeApi, fakeNode, fakePod, readyNode } from '../../fakes/fake-api.js';
import { cluster, clusterOfThree, type FakeSession, fakeSession } from './fixture.js';

const NODE = '/api/v1/nodes/w1';

/** A cluster with an API, in which the file has w1 as absent and w1 can be reached. */
function leaving(api: FakeApi = createFakeApi(fakeNode('cp1'), fakeNode('w1'))): {
  session: Session;
  fakes: FakeSession['fakes'];
  api: FakeApi;
} {
  const base = fakeSession();
  const context = {
    ...base.context,
    config: withAbsent(base.context.config, ['w1']),
    inventory: base.context.inventory.filter(({ name }) => name === 'cp1'),
    api: () => api,
  };
  const effects: Session['effects'] = {
    ...base.effects,
    applyObjects: (changes) => applyObjects(context, changes),
  };
  return { session: { ...base, context, effects }, fakes: base.fakes, api };
}

const removal = { force: false, timeoutMs: 2000, unreachable: false, owner: 'me' };

describe('hosts that leave', () => {
  it('are those that the file has as absent and the cluster still knows', async () => {
    expect(await leavingHosts(leaving().session)).toEqual(['w1']);
    expect(await leavingHosts(leaving(createFakeApi(fakeNode('cp1'))).session)).toEqual([]);
  });

  it('are none where no host is absent, and nothing is asked for it', async () => {
    const session = fakeSession();
    const api = createFakeApi(fakeNode('w1'), fakeNode('gone'));
    const context = { ...session.context, api: () => api };
    expect(await leavingHosts({ ...session, context })).toEqual([]);
    expect(api.calls).toEqual([]);
  });

  it('are an error where they can’t be reached, which says what to do', async () => {
    const { session } = leaving();
    const failure = new KeelsonError('CONNECTION', 'no route', { host: 'w1' });
    await expect(
      reachLeaving({ ...session, reach: async () => new Map([['w1', failure]]) }, ['w1']),
    ).rejects.toMatchObject({
      code: 'CONNECTION',
      hint: expect.stringContaining('keelson node remove w1 --unreachable'),
    });
  });

  it('are blocked by pods that nothing brings back', async () => {
    const api = createFakeApi(fakeNode('w1'), fakePod({ name: 'bare' }));
    const tasks = await planLeaving(leaving(api).session, ['w1']);
    expect(tasks[0]).toMatchObject({
      phase: 'nodes/drain',
      standing: 'blocked',
      reasons: [expect.stringContaining('default/bare')],
    });
  });
});

describe('removeHost', () => {
  /** A session that knows an admin, as clusterApi wants it. */
  async function known(api?: FakeApi) {
    const made = leaving(api);
    const common = { phases: phasesNamed('certs'), owner: 'me', preflight: false };
    await applyCluster(made.session, common);
    return made;
  }

  it('drains, resets the host, and deletes its node last', async () => {
    const pods = [fakePod({ name: 'web', owner: 'ReplicaSet', emptyDir: true })];
    const { session, fakes, api } = await known(createFakeApi(readyNode('cp1'), fakeNode('w1'), ...pods));
    fakes.get('w1')?.units.set('kubelet.service', {
      unit: 'kubelet.service',
      load: 'loaded',
      active: 'active',
      sub: 'running',
      enabled: 'enabled',
    });
    const result = await removeHost(session, 'w1', removal);
    expect(result.changed).toBe(4);
    const changing = api.calls.filter((call) => !/^(LIST|GET)/.test(call));
    expect(changing).toEqual([
      `PATCH ${NODE}`,
      'POST /api/v1/namespaces/default/pods/web/eviction',
      `DELETE ${NODE}`,
    ]);
    expect(
      fakes
        .get('w1')
        ?.mutations()
        .map(({ what }) => what),
    ).toEqual(['stop kubelet.service', 'disable kubelet.service']);
    expect(await removeHost(session, 'w1', removal)).toMatchObject({ changed: 0 });
  });

  it('ends when what stays is ready, as pods that moved may not be yet', async () => {
    const coredns: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns', namespace: 'kube-system' },
      spec: { replicas: 1 },
      status: { availableReplicas: 0, updatedReplicas: 1 },
    };
    const { session, api } = await known(createFakeApi(readyNode('cp1'), fakeNode('w1'), coredns));
    const events: EngineEvent[] = [];
    const emit = (event: EngineEvent) => {
      events.push(event);
      if (event.type === 'waiting' && event.phase === 'wait-ready')
        api.put({ ...coredns, status: { availableReplicas: 1, updatedReplicas: 1 } });
    };
    await removeHost({ ...session, emit, context: { ...session.context, emit } }, 'w1', removal);
    expect(events).toContainEqual(
      expect.objectContaining({ phase: 'wait-ready', last: 'coredns: 0 of 1 available' }),
    );
  });

  it('refuses to take a host for dead that answers', async () => {
    const { session, api } = await known();
    await expect(removeHost(session, 'w1', { ...removal, unreachable: true })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(api.objects.has(NODE)).toBe(true);
  });

  it('gives up the pods of a dead host without waiting, and does nothing on it', async () => {
    const { session, fakes, api } = await known(
      createFakeApi(fakeNode('cp1'), fakeNode('w1'), fakePod({ name: 'bare' })),
    );
    const hosts = new Map([...session.hosts].filter(([name]) => name !== 'w1'));
    const reach = async () => new Map([['w1', new KeelsonError('CONNECTION', 'no route')]]);
    await removeHost({ ...session, hosts, reach }, 'w1', { ...removal, unreachable: true });
    expect(api.calls.filter((call) => !call.startsWith('LIST'))).toEqual([
      `PATCH ${NODE}`,
      'DELETE /api/v1/namespaces/default/pods/bare',
      `DELETE ${NODE}`,
    ]);
    expect(fakes.get('w1')?.calls).toEqual([]);
  });
});

describe('refuseSecondCluster', () => {
  const planeAbsent = (established: boolean) => {
    const session = fakeSession(clusterOfThree());
    const config = withAbsent(session.context.config, ['cp1']);
    const first = session.context.config.hosts.find((host) => host.name === 'cp2');
    if (first?.localAPIEndpoint == null) throw new Error('no cp2');
    const context = {
      ...session.context,
      config,
      established,
      first: { ...first, localAPIEndpoint: first.localAPIEndpoint },
    };
    return { ...session, context };
  };
  const initialised = (session: FakeSession) => {
    const file = { content: Buffer.from(''), mode: 0o600, owner: 'root:root', type: 'file' } as const;
    session.fakes.get('cp1')?.files.set('/etc/kubernetes/manifests/kube-apiserver.yaml', { ...file });
    return session;
  };

  it('refuses a file whose only cluster is on a host that is to be removed', async () => {
    await expect(refuseSecondCluster(initialised(planeAbsent(false)))).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('keelson node replace cp1 cp2'),
    });
  });

  it('lets go what has no cluster, and what has one elsewhere', async () => {
    await refuseSecondCluster(planeAbsent(false));
    await refuseSecondCluster(initialised(planeAbsent(true)));
    await refuseSecondCluster(fakeSession(cluster()));
    expect(planeAbsent(false).context.established).toBe(false);
  });
});
