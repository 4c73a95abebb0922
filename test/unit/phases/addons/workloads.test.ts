import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/cluster/client.js';
import { unreadyWorkloads } from '../../../../src/phases/addons/workloads.js';
import { createFakeApi } from '../../../fakes/fake-api.js';

const object = (kind: string, rest: Record<string, unknown> = {}, generation = 2): KubeObject => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
  kind,
  metadata: { name: 'x', namespace: 'default', generation },
  ...rest,
});
const judge = async (live: KubeObject): Promise<string> =>
  (await unreadyWorkloads(createFakeApi(live), [live])).join();

describe('a workload', () => {
  it.each([
    [
      'Deployment',
      { spec: { replicas: 2 } },
      { availableReplicas: 2, updatedReplicas: 1 },
      '1 of 2 available',
    ],
    ['Deployment', { spec: { replicas: 0 } }, {}, ''],
    [
      'Deployment',
      { spec: { replicas: 1 } },
      { replicas: 2, availableReplicas: 1, updatedReplicas: 1 },
      '1 of the template before left',
    ],
    ['StatefulSet', { spec: { replicas: 1 } }, { readyReplicas: 1, updatedReplicas: 1 }, ''],
    ['StatefulSet', {}, { readyReplicas: 0 }, '0 of 1 ready'],
    [
      'DaemonSet',
      {},
      { desiredNumberScheduled: 3, numberReady: 3, updatedNumberScheduled: 2 },
      '2 of 3 ready',
    ],
    ['DaemonSet', {}, { desiredNumberScheduled: 0 }, ''],
    ['Job', {}, { conditions: [{ type: 'Complete', status: 'True' }] }, ''],
    ['Job', {}, {}, 'not Complete yet'],
    ['ConfigMap', {}, {}, ''],
  ])('%s %j with status %j: %s', async (kind, rest, status, wanted) => {
    const found = await judge(object(kind, { ...rest, status: { observedGeneration: 2, ...status } }));
    expect(found).toBe(wanted === '' ? '' : `${kind} default/x: ${wanted}`);
  });

  it('counts only once its controller has seen what it has to be', async () => {
    const status = { observedGeneration: 1, availableReplicas: 1, updatedReplicas: 1 };
    expect(await judge(object('Deployment', { status }))).toBe('Deployment default/x: not looked at yet');
  });

  it('that is not there is not ready', async () => {
    expect(await unreadyWorkloads(createFakeApi(), [object('DaemonSet')])).toEqual([
      'DaemonSet default/x: not there yet',
    ]);
  });
});
