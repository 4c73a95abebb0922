import { describe, expect, it } from 'vitest';
import { locator, pathOf } from '../../../src/cluster/paths.js';

describe('paths of objects', () => {
  it('are known for what keelson writes itself', async () => {
    const locate = locator(() => Promise.reject(new Error('asked')));
    const name = 'a';
    const core = { apiVersion: 'v1', name };
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', name };
    expect(await locate({ ...core, kind: 'ConfigMap', namespace: 'x' })).toBe(
      '/api/v1/namespaces/x/configmaps/a',
    );
    expect(await locate({ ...core, kind: 'Service' })).toBe('/api/v1/namespaces/default/services/a');
    expect(await locate({ ...core, kind: 'Node', namespace: '' })).toBe('/api/v1/nodes/a');
    expect(await locate({ ...rbac, kind: 'ClusterRole' })).toBe(
      '/apis/rbac.authorization.k8s.io/v1/clusterroles/a',
    );
    expect(pathOf({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', name, namespace: 'x' })).toBe(
      '/apis/networking.k8s.io/v1/namespaces/x/networkpolicies/a',
    );
  });

  it('of all others are asked of the server, once', async () => {
    const asked: string[] = [];
    const locate = locator((path) => {
      asked.push(path);
      return Promise.resolve({
        resources: [
          { name: 'storageclasses/status', kind: 'StorageClass', namespaced: false },
          { name: 'storageclasses', kind: 'StorageClass', namespaced: false },
          { name: 'services', kind: 'Service', namespaced: true },
        ],
      });
    });
    const storage = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', name: 'fast' };
    expect(await locate(storage)).toBe('/apis/storage.k8s.io/v1/storageclasses/fast');
    expect(await locate({ ...storage, name: 'slow' })).toBe('/apis/storage.k8s.io/v1/storageclasses/slow');
    // A kind of that name in somebody's own group is another one.
    const own = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'a', namespace: 'b' };
    expect(await locate(own)).toBe('/apis/serving.knative.dev/v1/namespaces/b/services/a');
    expect(asked).toEqual(['/apis/storage.k8s.io/v1', '/apis/serving.knative.dev/v1']);
  });

  it('of kinds that are not served yet are asked for again', async () => {
    let served: object[] = [];
    const locate = locator(() => Promise.resolve({ resources: served }));
    const pool = { apiVersion: 'crd.projectcalico.org/v1', kind: 'IPPool', name: 'a' };
    await expect(locate(pool)).rejects.toMatchObject({ code: 'API', details: { status: 404 } });
    served = [{ name: 'ippools', kind: 'IPPool', namespaced: false }];
    expect(await locate(pool)).toBe('/apis/crd.projectcalico.org/v1/ippools/a');
  });
});
