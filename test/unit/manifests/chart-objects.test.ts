import { describe, expect, it } from 'vitest';
import { chartObjects } from '../../../src/manifests/chart-objects.js';
import type { ManifestObject } from '../../../src/manifests/parse-manifests.js';

const object = (
  apiVersion: string,
  kind: string,
  metadata: Partial<ManifestObject['metadata']> = {},
  more: Record<string, unknown> = {},
): ManifestObject => ({ apiVersion, kind, metadata: { name: 'x', ...metadata }, ...more });

const placesOf = (objects: readonly ManifestObject[]) =>
  objects.map(({ kind, metadata }) => `${metadata.namespace ?? '-'} ${kind} ${metadata.name}`);

describe('objects of a chart', () => {
  it('go to the namespace of the release, which is made, unless they name another or have none', () => {
    const rendered = [
      object('v1', 'ConfigMap'),
      object('v1', 'Secret', { namespace: 'kube-system' }),
      object('rbac.authorization.k8s.io/v1', 'ClusterRole'),
      object('networking.k8s.io/v1', 'Ingress'),
    ];
    expect(placesOf(chartObjects(rendered, 'shop'))).toEqual([
      '- Namespace shop',
      'shop ConfigMap x',
      'kube-system Secret x',
      '- ClusterRole x',
      'shop Ingress x',
    ]);
  });

  it('make no namespace that every cluster has, or that is among them', () => {
    expect(chartObjects([object('v1', 'ConfigMap')], 'kube-system')).toHaveLength(1);
    expect(
      placesOf(chartObjects([object('v1', 'Namespace', { name: 'shop', labels: { a: 'b' } })], 'shop')),
    ).toEqual(['- Namespace shop']);
  });

  it('of its own kinds have the scope that their definition says', () => {
    const definition = (kind: string, scope: string) =>
      object(
        'apiextensions.k8s.io/v1',
        'CustomResourceDefinition',
        { name: kind },
        { spec: { group: 'example.com', scope, names: { kind } } },
      );
    const rendered = [
      definition('Zone', 'Cluster'),
      definition('Widget', 'Namespaced'),
      object('example.com/v1', 'Zone'),
      object('example.com/v1', 'Widget'),
      object('other.example.com/v1', 'Zone'),
    ];
    expect(placesOf(chartObjects(rendered, 'default')).slice(2)).toEqual([
      '- Zone x',
      'default Widget x',
      'default Zone x',
    ]);
  });

  it('are also hooks of installation and upgrade, and no others', () => {
    const hook = (name: string, moments: string) =>
      object('batch/v1', 'Job', { name, annotations: { 'helm.sh/hook': moments } });
    const rendered = [
      hook('certs', 'pre-install,pre-upgrade'),
      hook('check', 'test'),
      hook('tidy', 'pre-delete'),
    ];
    expect(placesOf(chartObjects(rendered, 'default'))).toEqual(['default Job certs']);
  });
});
