import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/cluster/client.js';
import { unready } from '../../../../src/phases/wait/ready.js';
import { createFakeApi, readyNode } from '../../../fakes/fake-api.js';
import { type FakeSession, fakeSession } from '../../workflows/fixture.js';

const NOW = 1_790_000_000;

const lease = (name: string, seconds: number): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'kube-node-lease' },
  spec: { leaseDurationSeconds: 40, renewTime: new Date((NOW - seconds) * 1000).toISOString() },
});

/** cp1 and w1, both Ready, on hosts whose clocks say `NOW` and something. */
function ready(...leases: KubeObject[]): FakeSession {
  const session = fakeSession();
  for (const [name, host] of session.fakes)
    host.on('date +%s', { stdout: `${name === 'w1' ? NOW + 3600 : NOW}\n` });
  const api = createFakeApi(readyNode('cp1'), readyNode('w1'), ...leases);
  return { ...session, context: { ...session.context, api: () => api } };
}

describe('unready', () => {
  it('is nothing where every node is Ready and its kubelet reported a moment ago, by the host’s own clock', async () => {
    expect(await unready(ready().context)).toEqual([]);
    expect(await unready(ready(lease('cp1', 11), lease('w1', -3595)).context)).toEqual([]);
  });

  it('is a kubelet that fell silent, though its node still counts as Ready', async () => {
    const { context } = ready(lease('cp1', 31), lease('w1', -3590), lease('elsewhere', 500));
    expect(await unready(context)).toEqual(['cp1: its kubelet has not reported for 31 s']);
  });
});
