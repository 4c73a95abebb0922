import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { clusterInfoConfigMap } from '../../join/cluster-info.js';
import { outsideUrl } from '../../manifests/addresses.js';
import { pemBlocks } from '../../pki/pem.js';
import { holdsCertificates, isIssuedBy, sameCertificates, trustBundle } from '../../pki/rotation.js';
import { awaitApi } from './await-api.js';
import { isLast, issuerAfter, type Run, trustAfter } from './run.js';
import type { Step } from './state.js';

/** A controller manager that was killed has its lease for another 15 s; then every namespace is written. */
const PUBLISH_MS = 180_000;

const AUTHENTICATION = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'extension-apiserver-authentication',
} as const;

/** Objects that tell others whom to trust: those that keelson writes, and those that it waits for. */
export async function clusterCaObjects(run: Run, step: Step): Promise<void> {
  if (step !== 'trust' && !isLast(step)) return;
  const { context } = run.session;
  const caPem = trustBundle(trustAfter(run.pairs, step));
  const api = await run.api();
  const info = clusterInfoConfigMap({ server: outsideUrl(context.config), caPem });
  await api.apply(info as unknown as KubeObject);
  await awaitPublished(run, caPem);
  if (isLast(step)) {
    // Files that were uploaded for kubeadm join hold the CA that nobody trusts any more.
    await api.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'kubeadm-certs' });
    await removeRequests(run, api, step);
  }
  await awaitAuthentication(run, 'client-ca-file', caPem, isLast(step));
}

/** Requests that were answered with a certificate of the CA that nobody trusts any more. */
async function removeRequests(run: Run, api: ClusterClient, step: Step): Promise<void> {
  const gone = run.pairs[issuerAfter(step) === 'fresh' ? 'old' : 'fresh'];
  const now = new Date(run.session.context.now());
  const requests = await api.list('/apis/certificates.k8s.io/v1/certificatesigningrequests');
  for (const { metadata, spec, status } of requests) {
    // Others' signers are none of the cluster's CA.
    if (!String((spec as { signerName?: string }).signerName).startsWith('kubernetes.io/')) continue;
    const base64 = (status as { certificate?: string } | undefined)?.certificate ?? '';
    const pem = Buffer.from(base64, 'base64').toString();
    if (pemBlocks(pem, 'CERTIFICATE').length === 0 || !isIssuedBy(pem, gone, `request ${metadata.name}`, now))
      continue;
    await api.remove({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      name: metadata.name,
    });
  }
}

/** The controller manager writes kube-root-ca.crt into every namespace, and ca.crt into token Secrets. */
async function awaitPublished(run: Run, caPem: string): Promise<void> {
  await awaitApi(
    run,
    async (api) => {
      const late = await withoutCa(api, caPem);
      return { met: late.length === 0, state: `not yet in ${late.slice(0, 3).join(', ')}` };
    },
    {
      host: '',
      for: 'the controller manager to publish the CA in every namespace',
      deadlineMs: PUBLISH_MS,
      hint: 'on a control plane: the log of kube-controller-manager in /var/log/containers',
    },
  );
}

/** ConfigMaps kube-root-ca.crt and token Secrets that hold anything but these certificates; namespaces without one. */
async function withoutCa(api: ClusterClient, caPem: string): Promise<string[]> {
  const [namespaces, maps, secrets] = await Promise.all([
    api.list('/api/v1/namespaces'),
    api.list('/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt'),
    api.list(
      `/api/v1/secrets?fieldSelector=${encodeURIComponent('type=kubernetes.io/service-account-token')}`,
    ),
  ]);
  const published = new Map(maps.map((map) => [map.metadata.namespace, dataOf(map)['ca.crt'] ?? '']));
  const late = namespaces
    .filter((namespace) => (namespace.status as { phase?: string } | undefined)?.phase !== 'Terminating')
    .map(({ metadata }) => metadata.name)
    .filter((name) => !sameCertificates(published.get(name) ?? '', caPem))
    .map((name) => `ConfigMap ${name}/kube-root-ca.crt`);
  const tokens = secrets
    .filter((secret) => {
      const ca = dataOf(secret)['ca.crt'];
      return ca !== undefined && !sameCertificates(Buffer.from(ca, 'base64').toString(), caPem);
    })
    .map(({ metadata }) => `Secret ${metadata.namespace}/${metadata.name}`);
  return [...late, ...tokens];
}

/**
 * API servers add what they trust to the ConfigMap that extension API servers read, and never take anything away:
 * that is done here, once none of them has the other CA any more.
 */
export async function awaitAuthentication(
  run: Run,
  key: 'client-ca-file' | 'requestheader-client-ca-file',
  caPem: string,
  exactly: boolean,
): Promise<void> {
  await awaitApi(
    run,
    async (api) => {
      const found = await api.get(AUTHENTICATION);
      const there = found === null ? '' : (dataOf(found)[key] ?? '');
      if (holdsCertificates(there, caPem) && (!exactly || sameCertificates(there, caPem)))
        return { met: true, state: '' };
      if (exactly) await api.patch(AUTHENTICATION, { data: { [key]: caPem } });
      return { met: false, state: 'it holds other certificates' };
    },
    { host: '', for: 'ConfigMap kube-system/extension-apiserver-authentication', deadlineMs: PUBLISH_MS },
  );
}

function dataOf(object: KubeObject): Record<string, string> {
  return (object.data ?? {}) as Record<string, string>;
}
