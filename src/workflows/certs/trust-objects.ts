import { type ClusterClient, type KubeObject, statusOf } from '../../cluster/client.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import { CLUSTER_INFO, readClusterInfo } from '../../join/cluster-info.js';
import { pemBlocks } from '../../pki/pem.js';
import type { PlacedFinding, TrustObject } from '../../pki/survey/types.js';
import type { AuthorityName } from '../../pki/table.js';

/** Objects of a list that are asked for at once. */
const PAGE = 500;
/** ConfigMaps that are looked at by name. */
const OWN = new Set([CLUSTER_INFO.name, 'kube-root-ca.crt', 'extension-apiserver-authentication']);

interface WebhookObject extends KubeObject {
  webhooks?: { name?: string; clientConfig?: { caBundle?: string } }[];
}

interface BundleObject extends KubeObject {
  spec?: { caBundle?: string; conversion?: { webhook?: { clientConfig?: { caBundle?: string } } } };
}

export interface TrustInCluster {
  trust: TrustObject[];
  /** What the API did not show. */
  unseen: PlacedFinding[];
}

/** Everything in the API that tells somebody whom to trust. Each part that can't be read is named. */
export async function trustInCluster(client: ClusterClient): Promise<TrustInCluster> {
  const unseen: PlacedFinding[] = [];
  const parts: [string, () => Promise<TrustObject[]>][] = [
    ['cluster-info', () => clusterInfo(client)],
    ['kube-root-ca.crt', () => rootCertificates(client)],
    ['extension-apiserver-authentication', () => clientAuthorities(client)],
    ['mutating webhooks', () => webhooks(client, 'MutatingWebhookConfiguration')],
    ['validating webhooks', () => webhooks(client, 'ValidatingWebhookConfiguration')],
    ['APIServices', () => apiServices(client)],
    ['conversion webhooks', () => conversions(client)],
    ['ConfigMaps', () => otherConfigMaps(client)],
  ];
  const found = await Promise.all(
    parts.map(async ([name, look]) => {
      try {
        return await look();
      } catch (error) {
        if (statusOf(error) !== 404) unseen.push(notSeen(name, toKeelsonError(error).message));
        return [];
      }
    }),
  );
  return { trust: found.flat(), unseen };
}

/** The finding that trust in the API could not be looked at. */
export function notSeen(name: string, why: string): PlacedFinding {
  return {
    host: '',
    place: 'Kubernetes API',
    name,
    code: 'no-answer',
    severity: 'warning',
    message: `not looked at: ${why}`,
    remedy: 'see keelson status',
  };
}

async function clusterInfo(client: ClusterClient): Promise<TrustObject[]> {
  const { namespace, name } = CLUSTER_INFO;
  const kubeconfig = dataOf(
    await client.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name }),
  ).kubeconfig;
  if (kubeconfig === undefined) return [];
  const { caPem } = readClusterInfo(kubeconfig);
  return [{ place: `ConfigMap ${namespace}/${name}`, name, pem: caPem, authority: 'ca' }];
}

/** One for each content: as a rule it is the same in all namespaces. */
async function rootCertificates(client: ClusterClient): Promise<TrustObject[]> {
  const name = 'kube-root-ca.crt';
  const maps = await client.list(`/api/v1/configmaps?fieldSelector=metadata.name%3D${name}`);
  const byContent = new Map<string, string[]>();
  for (const map of maps) {
    const pem = dataOf(map)['ca.crt'] ?? '';
    byContent.set(pem, [...(byContent.get(pem) ?? []), `${map.metadata.namespace}/${name}`]);
  }
  return [...byContent].map(([pem, objects]) => {
    const where =
      objects.length === 1
        ? (objects[0] ?? name)
        : `${name} in ${objects.length} namespaces (${objects[0]?.split('/')[0]}, …)`;
    return { place: `ConfigMap ${where}`, name, pem, authority: 'ca', objects: objects.sort() };
  });
}

async function clientAuthorities(client: ClusterClient): Promise<TrustObject[]> {
  const ref = { namespace: 'kube-system', name: 'extension-apiserver-authentication' };
  const data = dataOf(await client.get({ apiVersion: 'v1', kind: 'ConfigMap', ...ref }));
  const keys: [string, AuthorityName][] = [
    ['client-ca-file', 'ca'],
    ['requestheader-client-ca-file', 'front-proxy-ca'],
  ];
  return keys.flatMap(([key, authority]): TrustObject[] => {
    const pem = data[key];
    const place = `ConfigMap ${ref.namespace}/${ref.name} ${key}`;
    return pem === undefined ? [] : [{ place, name: key, pem, authority }];
  });
}

async function webhooks(client: ClusterClient, kind: string): Promise<TrustObject[]> {
  const path = `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}s`;
  const configurations = (await client.list(path)) as WebhookObject[];
  return configurations.flatMap(({ metadata, webhooks = [] }) =>
    webhooks.flatMap((hook) =>
      bundle(
        `${kind} ${metadata.name} ${hook.name ?? ''}`.trim(),
        metadata.name,
        hook.clientConfig?.caBundle,
      ),
    ),
  );
}

async function apiServices(client: ClusterClient): Promise<TrustObject[]> {
  const services = (await client.list('/apis/apiregistration.k8s.io/v1/apiservices')) as BundleObject[];
  return services.flatMap(({ metadata, spec }) =>
    bundle(`APIService ${metadata.name}`, metadata.name, spec?.caBundle),
  );
}

async function conversions(client: ClusterClient): Promise<TrustObject[]> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const definitions = (await client.list(path)) as BundleObject[];
  return definitions.flatMap(({ metadata, spec }) =>
    bundle(
      `CustomResourceDefinition ${metadata.name}`,
      metadata.name,
      spec?.conversion?.webhook?.clientConfig?.caBundle,
    ),
  );
}

/** Those of whoever put certificates into one: what reads them, and when, is their matter. */
async function otherConfigMaps(client: ClusterClient): Promise<TrustObject[]> {
  const found: TrustObject[] = [];
  let next = '';
  do {
    const { body } = await client.request('GET', `/api/v1/configmaps?limit=${PAGE}${next}`);
    const { items = [], metadata } = body as { items?: KubeObject[]; metadata?: { continue?: string } };
    for (const map of items) {
      const { namespace, name } = map.metadata;
      if (OWN.has(name)) continue;
      for (const [key, text] of Object.entries(dataOf(map))) {
        const pem = pemBlocks(text, 'CERTIFICATE').join('');
        const place = `ConfigMap ${namespace}/${name} ${key}`;
        if (pem !== '') found.push({ place, name, pem, authority: null, known: false });
      }
    }
    next = metadata?.continue ? `&continue=${encodeURIComponent(metadata.continue)}` : '';
  } while (next !== '');
  return found;
}

function bundle(place: string, name: string, base64: string | undefined): TrustObject[] {
  if (base64 === undefined || base64 === '') return [];
  return [{ place, name, pem: Buffer.from(base64, 'base64').toString(), authority: null }];
}

function dataOf(object: KubeObject | null): Record<string, string> {
  return (object?.data ?? {}) as Record<string, string>;
}
