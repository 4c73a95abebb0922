import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/cluster/client.js';
import { holdersOf, rolledOut } from '../../../../src/workflows/rotate/workloads.js';
import { createFakeApi } from '../../../fakes/fake-api.js';

const CA = { projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }] } };

function object(kind: string, name: string, more: Record<string, unknown> = {}, owner?: string): KubeObject {
  return {
    apiVersion: kind === 'Pod' ? 'v1' : 'apps/v1',
    kind,
    metadata: {
      name,
      namespace: 'default',
      uid: `${kind}-${name}`,
      ...(owner === undefined ? {} : { ownerReferences: [{ uid: owner, controller: true }] }),
    },
    spec: {},
    ...more,
  };
}

const pod = (name: string, owner?: string, volumes: unknown[] = [CA], phase = 'Running') =>
  object('Pod', name, { spec: { volumes }, status: { phase } }, owner);

describe('pods that hold a copy of the CA', () => {
  it('are found by their workloads, Deployments over their ReplicaSets', async () => {
    const api = createFakeApi(
      object('Deployment', 'web'),
      object('ReplicaSet', 'web-1', {}, 'Deployment-web'),
      object('DaemonSet', 'agent'),
      object('StatefulSet', 'db'),
      pod('web-1-a', 'ReplicaSet-web-1'),
      pod('web-1-b', 'ReplicaSet-web-1'),
      pod('agent-a', 'DaemonSet-agent'),
      pod('db-0', 'StatefulSet-db', []),
    );
    const { workloads, told } = await holdersOf(api);
    expect(workloads.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'DaemonSet agent',
      'Deployment web',
    ]);
    expect(told).toEqual([]);
  });

  it('are told of where nothing replaces them', async () => {
    const api = createFakeApi(
      object('Deployment', 'paused', { spec: { paused: true } }),
      object('ReplicaSet', 'paused-1', {}, 'Deployment-paused'),
      object('DaemonSet', 'manual', { spec: { updateStrategy: { type: 'OnDelete' } } }),
      pod('paused-1-a', 'ReplicaSet-paused-1'),
      pod('manual-a', 'DaemonSet-manual'),
      pod('bare'),
      pod('job-a', 'Job-x'),
      pod('done', 'Job-x', [CA], 'Succeeded'),
    );
    const { workloads, told } = await holdersOf(api);
    expect(workloads).toEqual([]);
    expect(told.sort()).toEqual(['default/bare', 'default/job-a', 'default/manual-a', 'default/paused-1-a']);
  });

  it('are those with a token from a Secret, too', async () => {
    const api = createFakeApi(
      { ...object('Secret', 'token'), apiVersion: 'v1', type: 'kubernetes.io/service-account-token' },
      pod('reader', undefined, [{ secret: { secretName: 'token' } }]),
      pod('other', undefined, [{ secret: { secretName: 'else' } }]),
    );
    expect((await holdersOf(api)).told).toEqual(['default/reader']);
  });
});

describe('a rollout', () => {
  const deployment = (status: Record<string, number>) =>
    rolledOut({
      ...object('Deployment', 'web', { spec: { replicas: 2 }, status }),
      metadata: { name: 'web', generation: 3 },
    }).met;

  it('is through when every pod is new and available, and no old one is left', () => {
    const through = { observedGeneration: 3, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
    expect(deployment(through)).toBe(true);
    expect(deployment({ ...through, observedGeneration: 2 })).toBe(false);
    expect(deployment({ ...through, updatedReplicas: 1 })).toBe(false);
    expect(deployment({ ...through, availableReplicas: 1 })).toBe(false);
    expect(deployment({ ...through, replicas: 3 })).toBe(false);
  });

  it('of a DaemonSet is through when all its nodes have the new pod', () => {
    const status = {
      observedGeneration: 1,
      desiredNumberScheduled: 3,
      updatedNumberScheduled: 3,
      numberAvailable: 3,
    };
    const daemonSet = (more: Record<string, number> = {}) =>
      rolledOut(object('DaemonSet', 'agent', { status: { ...status, ...more } }));
    expect(daemonSet().met).toBe(true);
    expect(daemonSet({ updatedNumberScheduled: 2 })).toEqual({
      met: false,
      state: '2 of 3 pods are new, 3 are available',
    });
  });
});
