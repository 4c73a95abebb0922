import { describe, expect, it } from 'vitest';
import type { ObjectCount } from '../../../../src/cluster/object-counts.js';
import { compareCounts } from '../../../../src/workflows/drill/compare.js';

const read = (
  group: string,
  resource: string,
  count: number,
  failure: string | null = null,
): ObjectCount => ({
  group,
  resource,
  count,
  failure,
});

describe('what an API server read of a snapshot', () => {
  it('is right where it is all that is stored, or more', () => {
    const drilled = compareCounts({ secrets: 3, configmaps: 2 }, [
      read('', 'secrets', 3),
      read('', 'configmaps', 5),
    ]);
    expect(drilled).toEqual([
      { resource: 'configmaps', stored: 2, read: 5, problem: null },
      { resource: 'secrets', stored: 3, read: 3, problem: null },
    ]);
  });

  it('is wrong where objects are missing', () => {
    const [drilled] = compareCounts({ deployments: 3 }, [read('apps', 'deployments', 2)]);
    expect(drilled?.problem).toBe('deployments: the snapshot has 3, the API server read 2');
  });

  it('is wrong where a resource could not be read', () => {
    const failure = 'GET /api/v1/secrets: 500 no matching key';
    const [drilled] = compareCounts({ secrets: 3 }, [read('', 'secrets', 0, failure)]);
    expect(drilled?.problem).toBe(`secrets can't be read: ${failure}`);
  });

  it('knows nodes and ingresses by the names that etcd has for them', () => {
    const drilled = compareCounts({ minions: 2, ingress: 1 }, [
      read('', 'nodes', 2),
      read('networking.k8s.io', 'ingresses', 1),
    ]);
    expect(drilled.map((own) => own.read)).toEqual([1, 2]);
  });

  it('does not take a custom resource for one of Kubernetes with the same name', () => {
    const [drilled] = compareCounts({ services: 2 }, [
      read('serving.knative.dev', 'services', 9),
      read('', 'services', 1),
    ]);
    expect(drilled).toMatchObject({ read: 1, problem: expect.stringContaining('services') });
  });

  it('finds custom resources by their group', () => {
    const [drilled] = compareCounts({ 'example.com/widgets': 2 }, [read('example.com', 'widgets', 2)]);
    expect(drilled).toMatchObject({ read: 2, problem: null });
  });

  it('does not miss what an API server removes by itself, nor what no API has', () => {
    const drilled = compareCounts({ events: 9, ranges: 1 }, [read('', 'events', 4)]);
    expect(drilled.map(({ problem }) => problem)).toEqual([null, null]);
    expect(drilled.map((own) => own.read)).toEqual([4, null]);
  });
});
