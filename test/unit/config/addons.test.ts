import { describe, expect, it } from 'vitest';
import { CLUSTER, errorOf, KUBEADM, parse, stream } from './support.js';

const withAddons = (addons: string) => stream(`${CLUSTER}  addons:\n${addons}`, KUBEADM);

describe('spec.addons', () => {
  it('are none by default', () => {
    expect(parse(stream(CLUSTER, KUBEADM)).spec.addons).toEqual([]);
  });

  it('have absolute paths, five minutes to become ready, and needs', () => {
    const { spec } = parse(
      withAddons(`    - {name: a, manifests: [{file: a.yaml}]}
    - {name: b, needs: [a], wait: 1m, manifests: [{url: "https://x.example/b.yaml", sha256: ${'ab'.repeat(32)}}]}
`),
    );
    expect(spec.addons).toEqual([
      { name: 'a', manifests: [{ file: '/etc/keelson/a.yaml' }], needs: [], waitMs: 300_000 },
      {
        name: 'b',
        manifests: [{ url: 'https://x.example/b.yaml', sha256: 'ab'.repeat(32) }],
        needs: ['a'],
        waitMs: 60_000,
      },
    ]);
  });

  it('come from kustomizations and charts too, whose release has their name', () => {
    const { spec } = parse(
      withAddons(`    - name: web
      manifests:
        - kustomize: overlays/prod
        - chart: {file: charts/web, namespace: shop, valuesFiles: [v.yaml], values: {a: {b: 1}}}
        - chart: {repository: oci://r.example/charts, name: db, version: 1.2.3, sha256: ${'ab'.repeat(32)}, release: db, apiVersions: [x.io/v1]}
`),
    );
    const plain = { namespace: 'default', valuesFiles: [], values: {}, apiVersions: [] };
    expect(spec.addons[0]?.manifests).toEqual([
      { kustomize: '/etc/keelson/overlays/prod' },
      {
        chart: {
          ...plain,
          from: { file: '/etc/keelson/charts/web' },
          release: 'web',
          namespace: 'shop',
          valuesFiles: ['/etc/keelson/v.yaml'],
          values: { a: { b: 1 } },
        },
      },
      {
        chart: {
          ...plain,
          from: {
            repository: 'oci://r.example/charts',
            name: 'db',
            version: '1.2.3',
            sha256: 'ab'.repeat(32),
          },
          release: 'db',
          apiVersions: ['x.io/v1'],
        },
      },
    ]);
  });

  it.each([
    [
      'two of one name',
      '    - {name: a, manifests: [{file: a}]}\n    - {name: a, manifests: [{file: b}]}\n',
      'is also the name',
    ],
    [
      'a need that is none',
      '    - {name: metrics, manifests: [{file: a}]}\n    - {name: b, needs: [metric], manifests: [{file: b}]}\n',
      /there is no add-on metric.*metrics/,
    ],
    [
      'needs that go round',
      '    - {name: a, needs: [b], manifests: [{file: a}]}\n    - {name: b, needs: [a], manifests: [{file: b}]}\n',
      'goes round in a circle: a → b → a',
    ],
    [
      'an add-on that needs itself',
      '    - {name: a, needs: [a], manifests: [{file: a}]}\n',
      'goes round in a circle: a → a',
    ],
    [
      'a URL without digest',
      '    - {name: a, manifests: [{url: "https://x.example/a.yaml"}]}\n',
      'a URL needs sha256',
    ],
    [
      'two sources in one',
      '    - {name: a, manifests: [{file: a, kustomize: b}]}\n',
      'give one of file, url, kustomize and chart',
    ],
    [
      'a chart of a repository without digest',
      '    - {name: a, manifests: [{chart: {repository: "https://x.example", name: a, version: 1.0.0}}]}\n',
      'needs name, version and sha256',
    ],
    [
      'a chart of no exact version',
      '    - {name: a, manifests: [{chart: {repository: "https://x.example", name: a, version: "^1", sha256: 0}}]}\n',
      'is no exact version such as 1.2.3',
    ],
    [
      'a login in the URL of a repository',
      '    - {name: a, manifests: [{chart: {repository: "https://me:secret@x.example"}}]}\n',
      'no login here',
    ],
    ['no manifests', '    - {name: a, manifests: []}\n', /spec\.addons\[0\]\.manifests/],
  ])('are refused with %s', (_, addons, message) => {
    expect(errorOf(withAddons(addons)).message).toMatch(message);
  });
});
