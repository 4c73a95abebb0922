import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/cluster/client.js';
import type { HostFacts } from '../../../../src/host/types.js';
import type { PhaseContext } from '../../../../src/phases/context.js';
import { unready } from '../../../../src/phases/wait/ready.js';
import { createFakeApi, readyNode } from '../../../fakes/fake-api.js';
import { fakeSession } from '../../workflows/fixture.js';

const NOW = 1_790_000_000;

const lease = (name: string, seconds: number): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'kube-node-lease' },
  spec: { leaseDurationSeconds: 40, renewTime: new Date((NOW - seconds) * 1000).toISOString() },
});

/** cp1 and w1, both Ready; it is `NOW`, and the clock of w1 is an hour ahead. */
async function ready(...leases: KubeObject[]): Promise<PhaseContext> {
  const session = fakeSession();
  const facts = new Map<string, HostFacts>();
  for (const [name, host] of session.fakes) {
    facts.set(name, { ...(await host.facts()), clockSkewMs: name === 'w1' ? 3_600_000 : 0 });
  }
  const api = createFakeApi(readyNode('cp1'), readyNode('w1'), ...leases);
  return { ...session.context, facts, now: () => NOW * 1000, api: () => api };
}

describe('unready', () => {
  it('is nothing where every node is Ready and its kubelet reported a moment ago, by the host’s own clock', async () => {
    expect(await unready(await ready())).toEqual([]);
    expect(await unready(await ready(lease('cp1', 11), lease('w1', -3595)))).toEqual([]);
  });

  it('is a kubelet that fell silent, though its node still counts as Ready', async () => {
    const context = await ready(lease('cp1', 31), lease('w1', -3590), lease('elsewhere', 500));
    expect(await unready(context)).toEqual(['cp1: its kubelet has not reported for 31 s']);
    expect(await unready({ ...context, facts: new Map() })).toEqual([]);
  });

  it('is a static pod of this run whose container does not start, and none that is about to', async () => {
    const pod = (name: string, nodeName: string, reason: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'kube-system', labels: { tier: 'control-plane' } },
      spec: { nodeName },
      status: { containerStatuses: [{ state: { waiting: { reason, message: 'no such content' } } }] },
    });
    const context = await ready(
      pod('kube-scheduler-cp1', 'cp1', 'CreateContainerError'),
      pod('etcd-cp1', 'cp1', 'ContainerCreating'),
      pod('kube-scheduler-cp9', 'cp9', 'CrashLoopBackOff'),
    );
    expect(await unready(context)).toEqual(['kube-scheduler-cp1: CreateContainerError: no such content']);
  });
});
