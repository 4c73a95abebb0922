import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../src/cluster/client.js';
import { inventoryRef, objectSetVerdict } from '../../../src/phases/object-set.js';
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
});
