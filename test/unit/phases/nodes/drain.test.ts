import { describe, expect, it } from 'vitest';
import { type DrainOptions, drainNode } from '../../../../src/phases/nodes/drain.js';
import { podName, podsToDrain } from '../../../../src/phases/nodes/drain-pods.js';
import { createFakeApi, fakeNode, fakePod } from '../../../fakes/fake-api.js';

const STRICT = { force: false, deleteEmptyDirData: false };
const options = (more: Partial<DrainOptions> = {}): DrainOptions => ({
  ...STRICT,
  timeoutMs: 5000,
  graceSeconds: null,
  signal: new AbortController().signal,
  ...more,
});

describe('podsToDrain', () => {
  it('leaves mirror pods and those of DaemonSets, and takes finished ones in any case', () => {
    const pods = [
      fakePod({ name: 'etcd', mirror: true }),
      fakePod({ name: 'proxy', owner: 'DaemonSet', emptyDir: true }),
      fakePod({ name: 'web', owner: 'ReplicaSet' }),
      fakePod({ name: 'done', phase: 'Succeeded', emptyDir: true }),
    ];
    const { evict, refused } = podsToDrain(pods, STRICT);
    expect(evict.map(podName)).toEqual(['default/web', 'default/done']);
    expect(refused).toEqual([]);
  });

  it('refuses bare pods and emptyDir volumes until told otherwise', () => {
    const pods = [fakePod({ name: 'bare' }), fakePod({ name: 'cache', owner: 'ReplicaSet', emptyDir: true })];
    expect(podsToDrain(pods, STRICT).refused).toEqual([
      expect.stringMatching(/^default\/bare: .*no controller.*--force/),
      expect.stringMatching(/^default\/cache: .*emptyDir.*--delete-emptydir-data/),
    ]);
    expect(podsToDrain(pods, { force: true, deleteEmptyDirData: true }).refused).toEqual([]);
  });
});

describe('drainNode', () => {
  it('cordons, evicts, and counts what left', async () => {
    const api = createFakeApi(
      fakeNode('w1'),
      fakePod({ name: 'a', owner: 'ReplicaSet' }),
      fakePod({ name: 'b', owner: 'ReplicaSet' }),
      fakePod({ name: 'elsewhere', owner: 'ReplicaSet', node: 'w2' }),
    );
    expect(await drainNode(api, 'w1', options())).toBe(2);
    expect(api.objects.get('/api/v1/nodes/w1')?.spec).toEqual({ unschedulable: true });
    expect([...api.objects.keys()]).toContain('/api/v1/namespaces/default/pods/elsewhere');
  });

  it('changes nothing where a pod is refused', async () => {
    const api = createFakeApi(fakeNode('w1'), fakePod({ name: 'bare' }));
    await expect(drainNode(api, 'w1', options())).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('default/bare'),
    });
    expect(api.calls.filter((call) => !call.startsWith('LIST'))).toEqual([]);
  });

  it('asks again while a budget blocks, and names budget and pod meanwhile', async () => {
    const api = createFakeApi(fakeNode('w1'), fakePod({ name: 'web', owner: 'ReplicaSet' }));
    let asked = 0;
    api.onEviction('default/web', () => {
      asked += 1;
      return asked > 1 ? 'gone' : { blockedBy: 'The disruption budget web needs 2 healthy pods and has 2' };
    });
    const states: string[] = [];
    await drainNode(api, 'w1', options({ onState: (state) => states.push(state) }));
    expect(states[0]).toBe('default/web: The disruption budget web needs 2 healthy pods and has 2');
    expect(asked).toBe(2);
  });

  it('gives up after its time with what is in the way', async () => {
    const api = createFakeApi(fakeNode('w1'), fakePod({ name: 'web', owner: 'ReplicaSet' }));
    api.onEviction('default/web', () => ({ blockedBy: 'budget web' }));
    await expect(drainNode(api, 'w1', options({ timeoutMs: 300 }))).rejects.toMatchObject({
      code: 'DEADLINE',
      message: expect.stringContaining('default/web: budget web'),
      hint: expect.stringContaining('uncordon w1'),
    });
  });

  it('asks a pod once and waits for it to end', async () => {
    const api = createFakeApi(fakeNode('w1'), fakePod({ name: 'slow', owner: 'ReplicaSet' }));
    api.onEviction('default/slow', () => 'ending');
    const states: string[] = [];
    const onState = (state: string) => {
      states.push(state);
      api.objects.delete('/api/v1/namespaces/default/pods/slow');
    };
    await drainNode(api, 'w1', options({ onState }));
    expect(states).toEqual(['pod ending: default/slow']);
    expect(api.calls.filter((call) => call.endsWith('/eviction'))).toHaveLength(1);
  });
});
