import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../src/cluster/client.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { inventoryRef } from '../../../src/phases/object-record.js';
import { objectSetVerdict } from '../../../src/phases/object-set.js';
import { applyObjects } from '../../../src/workflows/apply-objects.js';
import { createFakeApi, type FakeApi } from '../../fakes/fake-api.js';
import { fakeSession } from '../workflows/fixture.js';

const configMap = (name: string, data: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

function world() {
  const api = createFakeApi();
  let manifest: KubeObject[] = [];
  const context = { ...fakeSession().context, api: () => api, networkObjects: async () => manifest };
  const verdict = (...objects: KubeObject[]) => objectSetVerdict(context, { name: 'x', objects });
  return {
    api,
    verdict,
    apply: async (...objects: KubeObject[]) => {
      manifest = objects;
      const { changes } = await verdict(...objects);
      await applyObjects(
        context,
        changes.filter((change) => change.kind === 'object'),
      );
    },
  };
}

async function listed(api: FakeApi): Promise<string[]> {
  const { objects = '' } = ((await api.get(inventoryRef('x')))?.data ?? {}) as { objects?: string };
  return objects.trim().split('\n');
}

describe('a set of objects', () => {
  it('is made, and then there is nothing to do', async () => {
    const { api, verdict, apply } = world();
    const found = await verdict(configMap('a'), configMap('b'));
    expect(found.standing).toBe('missing');
    expect(found.reasons).toContain('ConfigMap default/a is missing');
    await apply(configMap('a'), configMap('b'));
    expect(await listed(api)).toEqual(['v1 ConfigMap default a', 'v1 ConfigMap default b']);
    expect((await verdict(configMap('a'), configMap('b'))).standing).toBe('satisfied');
  });

  it('is all missing where there is no API yet', async () => {
    const found = await objectSetVerdict({ api: () => null }, { name: 'x', objects: [configMap('a')] });
    expect(found.changes).toHaveLength(2);
  });

  it('shows what would change, and of a Secret which of its values', async () => {
    const { api, verdict, apply } = world();
    const secret = (value: string): KubeObject => ({
      ...configMap('s', { key: value, same: 'c2FtZQ==' }),
      kind: 'Secret',
    });
    await apply(configMap('a', { k: 'old' }), secret('b2xk'));
    const { changes } = await verdict(configMap('a', { k: 'new' }), secret('bmV3'));
    const [first, second] = changes.filter((change) => change.kind === 'object');
    expect(first?.diff).toContain('+  k: new');
    expect(second).toMatchObject({ objectKind: 'Secret', reason: 'Secret default/s differs' });
    expect(second?.diff).toContain('-  key: <masked>\n+  key: <masked, another value>\n');
    expect(second?.diff).toContain('   same: <masked>');
    expect(JSON.stringify(changes)).not.toMatch(/b2xk|bmV3|c2FtZQ/);
    await apply(configMap('a', { k: 'new' }), secret('bmV3'));
    expect(api.objects.get('/api/v1/namespaces/default/secrets/s')).toMatchObject({ data: { key: 'bmV3' } });
  });

  it('has another plan for another Secret, and never its values', async () => {
    const { verdict } = world();
    const secret = (password: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'default' },
      stringData: { password },
    });
    const plans = await Promise.all(['geheim', 'secreto', 'geheim'].map((value) => verdict(secret(value))));
    const [first, second, again] = plans.map((plan) => JSON.stringify(plan));
    expect(first).not.toContain('geheim');
    expect(first).not.toBe(second);
    expect(first).toBe(again);
  });

  it('loses what leaves the file, last made first, and nothing that keelson did not make', async () => {
    const { api, verdict, apply } = world();
    api.put(configMap('others'));
    await apply(configMap('a'), configMap('b'), configMap('c'));
    const { changes, reasons } = await verdict(configMap('b'));
    expect(reasons).toEqual([
      'ConfigMap default/c is not in the file any more',
      'ConfigMap default/a is not in the file any more',
    ]);
    expect(changes.map((change) => change.kind === 'object' && change.op)).toEqual(['delete', 'delete']);
    await apply(configMap('b'));
    expect((await verdict(configMap('b'))).standing).toBe('satisfied');
    expect(api.objects.has('/api/v1/namespaces/default/configmaps/others')).toBe(true);
    expect(api.objects.has('/api/v1/namespaces/default/configmaps/a')).toBe(false);
  });

  it('remembers what is to be deleted until it is gone', async () => {
    const { api, apply, verdict } = world();
    await apply(configMap('a'));
    const { changes } = await verdict(configMap('b'));
    const record = changes.find((change) => change.kind === 'object' && change.name === 'keelson-objects-x');
    expect(record).toMatchObject({ body: { data: { objects: expect.stringContaining('default a') } } });
    await apply(configMap('b'));
    expect(api.objects.has('/api/v1/namespaces/default/configmaps/a')).toBe(false);
  });

  it('leaves what was there before keelson came, though it held it to the file', async () => {
    const { api, apply } = world();
    api.put(configMap('theirs', { k: 'old' }));
    await apply(configMap('theirs', { k: 'new' }), configMap('ours'));
    expect(await listed(api)).toEqual(['v1 ConfigMap default theirs found', 'v1 ConfigMap default ours']);
    await apply(configMap('third'));
    const left = [...api.objects.keys()].map((path) => path.split('/').at(-1));
    expect(left.sort()).toEqual(['keelson-objects-x', 'theirs', 'third']);
  });

  it('does not delete what somebody made anew under the name of what left', async () => {
    const { api, apply, verdict } = world();
    await apply(configMap('a'), configMap('b'));
    await apply(configMap('b'));
    const theirs = configMap('a');
    const managedFields = [{ manager: 'kubectl-create', operation: 'Update' }];
    api.put({ ...theirs, metadata: { ...theirs.metadata, managedFields } });
    expect((await verdict(configMap('b'))).standing).toBe('satisfied');
  });

  it('deletes what has nothing but a name, and so has no manager', async () => {
    const { api, apply } = world();
    const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    await apply(namespace);
    expect(api.objects.get('/api/v1/namespaces/shop')?.metadata.managedFields).toEqual([]);
    await apply(configMap('a'));
    expect(api.objects.has('/api/v1/namespaces/shop')).toBe(false);
  });

  it('keeps an object whose API version has changed', async () => {
    const { apply, verdict } = world();
    const budget = (apiVersion: string): KubeObject => ({ ...configMap('a'), kind: 'Job', apiVersion });
    await apply(budget('batch/v1beta1'));
    const { changes } = await verdict(budget('batch/v1'));
    expect(changes.map((change) => change.kind === 'object' && change.op)).not.toContain('delete');
  });

  it('makes a Job again whose template differs, and refuses what else can’t be changed', async () => {
    const { api } = world();
    const refusing = {
      ...api,
      apply: async () => {
        throw new KeelsonError('API', 'spec.template: field is immutable', { details: { status: 422 } });
      },
    };
    const of = (kind: string, apiVersion: string): KubeObject => ({ ...configMap('a'), kind, apiVersion });
    const verdictOf = (object: KubeObject) => {
      api.put(object);
      return objectSetVerdict({ api: () => refusing }, { name: 'x', objects: [object] });
    };
    const job = await verdictOf(of('Job', 'batch/v1'));
    expect(job.changes).toContainEqual(expect.objectContaining({ op: 'update', replaces: true, name: 'a' }));
    expect((await verdictOf(of('Deployment', 'apps/v1'))).standing).toBe('blocked');
  });

  it('deletes what is to be made again before it makes it', async () => {
    const api = createFakeApi();
    const old = { ...configMap('a', { k: 'old' }), kind: 'Job', apiVersion: 'batch/v1' };
    api.put(old);
    const order: string[] = [];
    const watched = {
      ...api,
      remove: async (ref: Parameters<typeof api.remove>[0]) => {
        order.push('remove');
        await api.remove(ref);
      },
      apply: async (object: KubeObject) => {
        order.push('apply');
        return api.apply(object);
      },
    };
    const body = { ...old, data: { k: 'new' } };
    const change = { kind: 'object', op: 'update', replaces: true, reason: '', body } as const;
    const ref = { apiVersion: 'batch/v1', objectKind: 'Job', namespace: 'default', name: 'a' };
    const context = { ...fakeSession().context, api: () => watched };
    await applyObjects(context, [{ ...change, ...ref }]);
    expect(order).toEqual(['remove', 'apply']);
  });
});
