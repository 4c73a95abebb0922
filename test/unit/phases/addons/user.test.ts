import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/cluster/client.js';
import type { AddonSpec } from '../../../../src/config/types.js';
import { KeelsonError } from '../../../../src/errors/keelson-error.js';
import { inOrderOfNeeds, userAddons } from '../../../../src/phases/addons/user.js';
import type { PhaseContext } from '../../../../src/phases/context.js';
import { applyObjects } from '../../../../src/workflows/apply-objects.js';
import { createFakeApi } from '../../../fakes/fake-api.js';
import { fakeSession } from '../../workflows/fixture.js';

const addon = (name: string, needs: string[] = [], waitMs = 1000): AddonSpec => ({
  name,
  manifests: [],
  needs,
  waitMs,
});
const configMap = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
});
const deployment = (name: string, available: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default', generation: 1 },
  spec: { replicas: 1 },
  status: { observedGeneration: 1, availableReplicas: available, updatedReplicas: 1 },
});

function world() {
  const api = createFakeApi();
  const { context } = fakeSession();
  const under = (addons: AddonSpec[], objects: Record<string, KubeObject[]>): PhaseContext => ({
    ...context,
    config: { ...context.config, spec: { ...context.config.spec, addons } },
    api: () => api,
    addonObjects: async () => new Map(Object.entries(objects)),
  });
  const check = (addons: AddonSpec[], objects: Record<string, KubeObject[]>) =>
    userAddons.check(under(addons, objects));
  return {
    api,
    under,
    check,
    apply: async (addons: AddonSpec[], objects: Record<string, KubeObject[]>) => {
      const { changes } = await check(addons, objects);
      await applyObjects(
        under(addons, objects),
        changes.filter((change) => change.kind === 'object'),
      );
    },
  };
}

const told = (changes: readonly { kind: string; name?: string; summary?: string; op?: string }[]) =>
  changes.map((change) => (change.kind === 'action' ? change.summary : `${change.op} ${change.name}`));

describe('add-ons of the user', () => {
  it('come after those that they need, otherwise in the order of the file', () => {
    const ordered = inOrderOfNeeds([addon('a', ['c']), addon('b'), addon('c', ['d']), addon('d')]);
    expect(ordered.map(({ name }) => name)).toEqual(['d', 'c', 'a', 'b']);
  });

  it('are made one after the other, each awaited before what needs it', async () => {
    const { check } = world();
    const { standing, changes } = await check([addon('b', ['a']), addon('a'), addon('c', [], 0)], {
      a: [configMap('one')],
      b: [configMap('two')],
      c: [configMap('three')],
    });
    expect(standing).toBe('missing');
    expect(told(changes)).toEqual([
      'create keelson-objects-addon-a',
      'create one',
      'wait until a is ready',
      'create keelson-objects-addon-b',
      'create two',
      'wait until b is ready',
      'create keelson-objects-addon-c',
      'create three',
    ]);
  });

  it('are awaited again where a workload is not ready, and left alone where all are', async () => {
    const { api, apply, check } = world();
    const objects = { a: [deployment('web', 0)] };
    await apply([addon('a')], objects);
    const waiting = await check([addon('a')], objects);
    expect(waiting.reasons).toEqual(['Deployment default/web: 0 of 1 available']);
    expect(told(waiting.changes)).toEqual(['wait until a is ready']);
    expect((await check([addon('a', [], 0)], objects)).standing).toBe('satisfied');
    api.put(deployment('web', 1));
    expect((await check([addon('a')], { a: [deployment('web', 1)] })).standing).toBe('satisfied');
  });

  it('are removed with everything they made once they leave the file, and nothing else is', async () => {
    const { api, apply, check } = world();
    api.put(configMap('somebody-elses'));
    await apply([addon('a'), addon('b')], {
      a: [configMap('one'), configMap('two')],
      b: [configMap('three')],
    });
    const { standing, changes } = await check([addon('b')], { b: [configMap('three')] });
    expect(standing).toBe('drifted');
    expect(told(changes)).toEqual(['delete two', 'delete one', 'delete keelson-objects-addon-a']);
    await apply([addon('b')], { b: [configMap('three')] });
    const left = (await api.list('/api/v1/namespaces/default/configmaps')).map(
      ({ metadata }) => metadata.name,
    );
    expect(left.sort()).toEqual(['keelson-objects-addon-b', 'somebody-elses', 'three']);
    expect((await check([addon('b')], { b: [configMap('three')] })).standing).toBe('satisfied');
  });

  it('take over what an add-on made that has another name now, or gave up', async () => {
    const { api, apply, check } = world();
    const account = { ...configMap('one'), kind: 'ServiceAccount' };
    await apply([addon('a'), addon('b')], {
      a: [account, configMap('two')],
      b: [configMap('three')],
    });
    const moved = { renamed: [account, configMap('two')], b: [configMap('three')] };
    const { changes } = await check([addon('renamed'), addon('b')], moved);
    expect(told(changes)).toEqual([
      'create keelson-objects-addon-renamed',
      'wait until renamed is ready',
      'delete keelson-objects-addon-a',
    ]);
    await apply([addon('renamed'), addon('b')], moved);
    await apply([addon('renamed'), addon('b')], { renamed: [account], b: [configMap('two')] });
    const left = [...api.objects.keys()].map((path) => path.split('/').at(-1));
    expect(left.sort()).toEqual(['keelson-objects-addon-b', 'keelson-objects-addon-renamed', 'one', 'two']);
    // Those that took them over made them, and so they go with them.
    await apply([], {});
    expect([...api.objects.keys()]).toEqual([]);
  });

  it('that the server refuses hold up the others, and say why', async () => {
    const { api, under } = world();
    const objects = { a: [configMap('one')], b: [configMap('two')] };
    api.put(configMap('one'));
    const context = under([addon('a'), addon('b')], objects);
    const refusing = {
      ...api,
      apply: async () => {
        throw new KeelsonError('API', 'data: Invalid value', { details: { status: 422 } });
      },
    };
    const { standing, reasons, changes } = await userAddons.check({ ...context, api: () => refusing });
    expect(standing).toBe('blocked');
    expect(reasons.join()).toContain('ConfigMap default/one is refused: data: Invalid value');
    expect(changes).toEqual([]);
  });

  it('say on time-out how far their workloads are', async () => {
    const { apply, under } = world();
    const objects = { a: [deployment('web', 0)] };
    await apply([addon('a', [], 300)], objects);
    const context = under([addon('a', [], 300)], objects);
    const wait = userAddons.actions?.wait?.(context, {
      kind: 'action',
      name: 'wait',
      summary: '',
      params: { addon: 'a' },
    });
    await expect(wait).rejects.toThrow(/the add-on a.*Deployment default\/web: 0 of 1 available/);
  });
});
