import { beforeAll, describe, expect, it } from 'vitest';
import type { ClusterClient, KubeObject } from '../../../../src/cluster/client.js';
import { createAuthority } from '../../../../src/pki/issue.js';
import { trustInCluster } from '../../../../src/workflows/certs/trust-objects.js';
import { createFakeApi } from '../../../fakes/fake-api.js';

let pem = '';
beforeAll(async () => {
  const spec = { commonName: 'some', algorithm: 'ECDSA-P256', validityMs: 60_000 } as const;
  pem = (await createAuthority(spec, { now: new Date() })).certPem;
});

const base64 = () => Buffer.from(pem).toString('base64');
const map = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop' },
  data,
});

/** An API that gives its ConfigMaps one a page. */
function paged(maps: KubeObject[], ...others: KubeObject[]): ClusterClient {
  const api = createFakeApi(...others);
  return {
    ...api,
    request: async (method, path, options) => {
      if (!path.startsWith('/api/v1/configmaps?limit=')) return api.request(method, path, options);
      const at = Number(/continue=(\d+)/.exec(path)?.[1] ?? 0);
      const metadata = at + 1 < maps.length ? { continue: String(at + 1) } : {};
      return { status: 200, body: { items: maps.slice(at, at + 1), metadata } };
    },
  };
}

describe('trust that lies in the API', () => {
  it('is looked for in webhooks, API services, conversions and all ConfigMaps', async () => {
    const clientConfig = () => ({ clientConfig: { caBundle: base64() } });
    const hooks = (kind: string) => ({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind,
      metadata: { name: kind.toLowerCase() },
      webhooks: [{ name: 'a.b', ...clientConfig() }, { name: 'none' }],
    });
    const { trust, unseen } = await trustInCluster(
      paged(
        [
          map('empty', {}),
          map('bundle', { 'ca.pem': `# ours\n${pem}`, other: 'text' }),
          map('kube-root-ca.crt', { 'ca.crt': pem }),
        ],
        hooks('MutatingWebhookConfiguration'),
        hooks('ValidatingWebhookConfiguration'),
        {
          apiVersion: 'apiregistration.k8s.io/v1',
          kind: 'APIService',
          metadata: { name: 'v1.own' },
          spec: { caBundle: base64() },
        },
        {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: 'crd' },
          spec: { conversion: { webhook: clientConfig() } },
        },
      ),
    );
    expect(unseen).toEqual([]);
    expect(trust.map(({ place }) => place)).toEqual([
      'MutatingWebhookConfiguration mutatingwebhookconfiguration a.b',
      'ValidatingWebhookConfiguration validatingwebhookconfiguration a.b',
      'APIService v1.own',
      'CustomResourceDefinition crd',
      'ConfigMap shop/bundle ca.pem',
    ]);
    expect(trust.every((one) => one.pem === pem)).toBe(true);
  });
});
