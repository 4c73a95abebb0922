import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../../../src/cluster/client.js';
import { servedOf } from '../../../../src/workflows/rotate/encryption-objects.js';

const verbs = ['get', 'list', 'patch'];
const ANSWERS: Readonly<Record<string, unknown>> = {
  '/apis': {
    groups: [
      { name: 'apps', preferredVersion: { groupVersion: 'apps/v1' } },
      { name: 'shop.example', preferredVersion: { groupVersion: 'shop.example/v2' } },
    ],
  },
  '/api/v1': {
    resources: [
      { name: 'secrets', verbs },
      { name: 'configmaps', verbs },
      { name: 'bindings', verbs: ['create'] },
      { name: 'pods/status', verbs },
    ],
  },
  '/apis/apps/v1': { resources: [{ name: 'deployments', verbs }] },
  '/apis/shop.example/v2': { resources: [{ name: 'orders', verbs }] },
};

const served = async (...wanted: string[]) => {
  const api = {
    request: async (_method: string, path: string) => ({ status: 200, body: ANSWERS[path] }),
  } as unknown as ClusterClient;
  return (await servedOf(api, wanted)).map(({ base, name }) => `${base}/${name}`);
};

describe('what an encryption configuration names', () => {
  it('are resources of the core and of other groups, at their preferred version', async () => {
    expect(await served('secrets', 'orders.shop.example')).toEqual([
      '/api/v1/secrets',
      '/apis/shop.example/v2/orders',
    ]);
  });

  it('can be a group, or everything that can be written', async () => {
    expect(await served('*.')).toEqual(['/api/v1/secrets', '/api/v1/configmaps']);
    expect(await served('*.apps')).toEqual(['/apis/apps/v1/deployments']);
    expect(await served('*.*')).toHaveLength(4);
  });
});
