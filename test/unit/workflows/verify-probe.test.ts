import { describe, expect, it } from 'vitest';
import type { ClusterClient, KubeObject } from '../../../src/cluster/client.js';
import type { EngineEvent } from '../../../src/engine/events.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import type { Session } from '../../../src/workflows/session.js';
import { withProbe } from '../../../src/workflows/verify/probe.js';
import { reschedule } from '../../../src/workflows/verify/reschedule.js';
import { createFakeHost, type FakeHost } from '../../fakes/fake-host.js';

const IMAGE = {
  name: 'agnhost',
  reference: 'registry.example/agnhost:1',
  digest: `sha256:${'a'.repeat(64)}`,
};
const HOSTS = ['cp1', 'w1', 'w2'];

/** A cluster in memory, as far as verify sees one. */
function fakeCluster(options: { readyPods?: readonly string[] } = {}) {
  const namespaces = new Set<string>();
  const removed: string[] = [];
  const applied: KubeObject[] = [];
  const ready = options.readyPods ?? HOSTS;
  const named = (name: string, rest: Record<string, unknown>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name, uid: `uid-${name}` },
    ...rest,
  });
  const isReady = (yes: boolean) => ({ type: 'Ready', status: yes ? 'True' : 'False' });
  const podOn = (app: string, host: string) =>
    named(`${app}-${host}`, {
      spec: { nodeName: host },
      status: { phase: 'Running', podIP: '10.244.0.5', conditions: [isReady(ready.includes(host))] },
    });
  const client: Partial<ClusterClient> = {
    list: async (path) => {
      if (path.startsWith('/api/v1/namespaces?')) return [...namespaces].map((name) => named(name, {}));
      if (path === '/api/v1/nodes')
        return HOSTS.map((name) => named(name, { status: { conditions: [isReady(true)] } }));
      if (path.endsWith(encodeURIComponent('app=probe'))) return HOSTS.map((host) => podOn('probe', host));
      if (path.endsWith(encodeURIComponent('app=wanderer'))) return [podOn('wanderer', 'w1')];
      return [named('event', { type: 'Warning', reason: 'Failed', message: 'no such image' })];
    },
    get: async (ref) => named(ref.name, { status: { conditions: [isReady(true)] } }),
    apply: async (object) => {
      applied.push(object);
      if (object.kind === 'Namespace') namespaces.add(object.metadata.name);
      return object.kind === 'Service'
        ? { ...object, spec: { clusterIPs: ['10.96.0.9'], ports: [{ nodePort: 30001 }] } }
        : object;
    },
    remove: async (ref) => {
      removed.push(`${ref.kind} ${ref.name}`);
      if (ref.kind === 'Namespace') namespaces.delete(ref.name);
    },
  };
  return { client: client as ClusterClient, namespaces, removed, applied };
}

/** A session of three fake hosts that have the probe image. */
function fakeSession(events: EngineEvent[] = []) {
  const hosts = new Map<string, FakeHost>();
  for (const name of HOSTS) {
    const host = createFakeHost({ name });
    host.on(/^ctr .* images check/, {
      stdout: `${IMAGE.reference} application/x ${IMAGE.digest} complete (2/2) 1 MiB/1 MiB true\n`,
    });
    host.on(/^<verify\//, {});
    hosts.set(name, host);
  }
  const inventory = HOSTS.map((name) => ({
    name,
    role: name === 'cp1' ? 'control-plane' : 'worker',
    state: 'present',
    nodeRegistration: { name },
  }));
  const context = {
    facts: new Map(),
    bundle: { dir: '/bundle', lock: { images: [{ ...IMAGE, blobs: [] }] } },
    config: { name: 'demo', hosts: inventory },
    signal: new AbortController().signal,
    hostNamed: (name: string) => inventory.find((host) => host.name === name),
  };
  const session = {
    context,
    emit: (event: EngineEvent) => void events.push(event),
    effects: { host: (name: string) => hosts.get(name), importImages: async () => undefined },
  };
  return { session: session as unknown as Session, hosts };
}

const never = () => new AbortController().signal;

describe('the probe', () => {
  it('hands ready pods to the work, and leaves nothing behind', async () => {
    const cluster = fakeCluster();
    const { session } = fakeSession();
    const { result, cleanup } = await withProbe(session, cluster.client, never(), async (probe) => {
      expect(cluster.namespaces.size).toBe(1);
      return { hosts: [...probe.pods.keys()], service: probe.service };
    });
    expect(cleanup.result).toBe('passed');
    expect(result).toEqual({ hosts: HOSTS, service: { clusterIPs: ['10.96.0.9'], nodePort: 30001 } });
    expect(cluster.namespaces.size).toBe(0);
  });

  it('is taken away when the work fails, and the work’s own error is what comes out', async () => {
    const cluster = fakeCluster();
    const failing = withProbe(fakeSession().session, cluster.client, never(), async () => {
      throw new KeelsonError('CONNECTION', 'the line is dead');
    });
    await expect(failing).rejects.toThrow('the line is dead');
    expect(cluster.namespaces.size).toBe(0);
  });

  it('is taken away when the run is stopped while pods start', async () => {
    const cluster = fakeCluster({ readyPods: [] });
    const stop = new AbortController();
    const events: EngineEvent[] = [];
    const { session } = fakeSession(events);
    const list = cluster.client.list;
    cluster.client.list = async (path) => {
      if (path.includes('app%3Dprobe')) stop.abort(new KeelsonError('ABORTED', 'interrupted'));
      return list(path);
    };
    const stopped = withProbe(session, cluster.client, stop.signal, async () => 'worked');
    await expect(stopped).rejects.toThrow();
    expect(cluster.applied.some((object) => object.kind === 'DaemonSet')).toBe(true);
    expect(cluster.namespaces.size).toBe(0);
    expect(events.filter((event) => event.type === 'note')).toEqual([]);
  });

  it('removes what an earlier run left behind before it makes its own', async () => {
    const cluster = fakeCluster();
    cluster.namespaces.add('keelson-verify-old');
    await withProbe(fakeSession().session, cluster.client, never(), async () => {
      expect(cluster.namespaces.has('keelson-verify-old')).toBe(false);
    });
    expect(cluster.removed[0]).toBe('Namespace keelson-verify-old');
  });

  it('warns of what it could not take away without hiding the first error', async () => {
    const cluster = fakeCluster();
    const events: EngineEvent[] = [];
    const failing = withProbe(fakeSession(events).session, cluster.client, never(), async () => {
      cluster.client.remove = async () => {
        throw new KeelsonError('API', 'forbidden');
      };
      throw new KeelsonError('CONNECTION', 'the line is dead');
    });
    await expect(failing).rejects.toThrow('the line is dead');
    expect(events.at(-1)).toMatchObject({ type: 'note', level: 'warning' });
  });

  it('keeps what the work found where it can’t be taken away, and counts that as a failure', async () => {
    const cluster = fakeCluster();
    const { result, cleanup } = await withProbe(fakeSession().session, cluster.client, never(), async () => {
      cluster.client.remove = async () => {
        throw new KeelsonError('API', 'forbidden');
      };
      return 'found';
    });
    expect(result).toBe('found');
    expect(cleanup).toMatchObject({ check: 'cleanup', result: 'failed' });
    expect(cleanup.detail).toContain('is left behind: forbidden');
  });

  it('goes on with the other hosts where one has no image, and says why', async () => {
    const cluster = fakeCluster({ readyPods: ['cp1', 'w1'] });
    const { session, hosts } = fakeSession();
    hosts.get('w2')?.on(/^ctr .* images check/, { code: 1, stderr: 'containerd is not running' });
    const { result: rows } = await withProbe(session, cluster.client, never(), async (probe) => probe.rows);
    expect(rows.map((row) => [row.to, row.result])).toEqual([
      ['cp1', 'passed'],
      ['w1', 'passed'],
      ['w2', 'failed'],
    ]);
    expect(rows[2]?.detail).toContain('containerd is not running');
    expect(rows[2]?.evidence).toEqual(['Warning Failed: no such image']);
  });
});

describe('the rescheduled pod', () => {
  const scripts = (host: FakeHost | undefined) =>
    (host?.calls ?? []).filter((call) => call.kind === 'script').map((call) => call.what.split(' ')[0]);

  it('has its node’s kubelet started again when the wait is interrupted', async () => {
    const cluster = fakeCluster();
    const { session, hosts } = fakeSession();
    const stop = new AbortController();
    hosts.get('w1')?.on(/^<verify\/stop-kubelet>/, () => {
      stop.abort(new KeelsonError('ABORTED', 'interrupted'));
      return {};
    });
    const checked = withProbe(session, cluster.client, never(), (probe) =>
      reschedule({
        session,
        client: cluster.client,
        probe,
        signal: stop.signal,
        ask: async () => ({ status: 200, body: 'wanderer-w1' }),
      }),
    );
    await expect(checked).rejects.toThrow('interrupted');
    expect(scripts(hosts.get('w1'))).toEqual(['<verify/stop-kubelet>', '<verify/start-kubelet>']);
    expect(scripts(hosts.get('w2'))).toEqual([]);
  });

  it('has its node’s kubelet started again when stopping it failed half way', async () => {
    const cluster = fakeCluster();
    const { session, hosts } = fakeSession();
    hosts.get('w1')?.on(/^<verify\/stop-kubelet>/, { code: 1, stderr: 'lost' });
    const checked = withProbe(session, cluster.client, never(), (probe) =>
      reschedule({
        session,
        client: cluster.client,
        probe,
        signal: never(),
        ask: async () => ({ status: 200, body: 'wanderer-w1' }),
      }),
    );
    await expect(checked).rejects.toThrow('lost');
    expect(scripts(hosts.get('w1'))).toEqual(['<verify/stop-kubelet>', '<verify/start-kubelet>']);
  });

  it('is not tried with one worker, and no kubelet is touched', async () => {
    const cluster = fakeCluster({ readyPods: ['cp1', 'w1'] });
    const { session, hosts } = fakeSession();
    hosts.get('w2')?.on(/^ctr .* images check/, { code: 1, stderr: 'containerd is not running' });
    const { result: rows } = await withProbe(session, cluster.client, never(), (probe) =>
      reschedule({
        session,
        client: cluster.client,
        probe,
        signal: never(),
        ask: async () => ({ status: 200, body: '' }),
      }),
    );
    expect(rows.map((row) => row.result)).toEqual(['skipped']);
    expect(HOSTS.flatMap((name) => scripts(hosts.get(name)))).toEqual([]);
  });
});
