import { clusterClient } from '../../cluster/client.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { localServerUrl } from '../../pki/endpoint.js';
import { kubeconfigYaml, readKubeconfig } from '../../pki/kubeconfig.js';
import { SECRET_MODE } from '../../pki/table.js';
import { API, API_PODS, KUBELET } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { withHostEvidence } from '../evidence.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from '../paths.js';
import { verdictOf } from '../rendered.js';

/** The kubelet writes its rotating certificate within a second of its start. */
const AWAIT_CERTIFICATE = `i=0
while ! [ -s ${KUBELET_CLIENT_CERTIFICATE} ]; do
  i=$((i+1)); [ $i -gt 600 ] && exit 1
  sleep 0.1
done
cat ${KUBELET_CONF}
`;

export const finalizeKubelet = defineHostPhase({
  name: 'kubelet-finalize',
  summary: 'control planes’ kubelets use the certificate that they rotate and the API server beside them',
  target: 'control-planes',
  needs: [API, KUBELET, API_PODS],
  provides: [],
  observe: () => ({ files: [KUBELET_CONF] }),
  plan: (context, host, seen) => {
    const text = seen.files.get(KUBELET_CONF)?.content?.toString();
    const server = localServerUrl(context.hostNamed(host));
    if (text !== undefined) {
      const view = readKubeconfig(text, KUBELET_CONF);
      if (view.certPem === null && view.server === server) return verdictOf([]);
    }
    const summary = `point ${KUBELET_CONF} to ${KUBELET_CLIENT_CERTIFICATE} and ${server}`;
    return verdictOf([{ kind: 'action', name: 'finalize', summary }]);
  },
  actions: { finalize },
});

async function finalize(context: PhaseContext, host: Host): Promise<void> {
  const awaited = await host.script(
    { name: 'kubelet/await-certificate', text: AWAIT_CERTIFICATE },
    { timeoutMs: 90_000, signal: context.signal },
  );
  const view = readKubeconfig(awaited.stdout.toString('utf8'), KUBELET_CONF);
  if (view.caPem === null) {
    throw new KeelsonError('PKI', `${KUBELET_CONF} has no embedded CA`, { host: host.name });
  }
  await awaitLocalApi(context, host);
  const name = `${view.userName}@${view.clusterName}`;
  const server = localServerUrl(context.hostNamed(host.name));
  const pointed = kubeconfigYaml({
    apiVersion: 'v1',
    clusters: [
      {
        cluster: { 'certificate-authority-data': Buffer.from(view.caPem).toString('base64'), server },
        name: view.clusterName,
      },
    ],
    contexts: [{ context: { cluster: view.clusterName, user: view.userName }, name }],
    'current-context': name,
    kind: 'Config',
    users: [
      {
        name: view.userName,
        user: {
          'client-certificate': KUBELET_CLIENT_CERTIFICATE,
          'client-key': KUBELET_CLIENT_CERTIFICATE,
        },
      },
    ],
  });
  await host.put([{ path: KUBELET_CONF, content: Buffer.from(pointed), mode: SECRET_MODE }]);
  // A kubelet that runs with the same identity and server needs no restart. One that waits to register does:
  // it tries ever more rarely.
  if (view.server !== server || !(await isRegistered(context, host)))
    await host.service('restart', KUBELET_UNIT);
}

async function isRegistered(context: PhaseContext, host: Host): Promise<boolean> {
  const { name } = context.hostNamed(host.name).nodeRegistration;
  return (await context.api()?.get({ apiVersion: 'v1', kind: 'Node', name })) != null;
}

/** The API server of this host has to serve before its kubelet depends on it. */
async function awaitLocalApi(context: PhaseContext, host: Host): Promise<void> {
  const admin = context.trust.admin();
  const local = context.hostNamed(host.name).localAPIEndpoint;
  if (admin === null || local === null)
    throw new KeelsonError('BUG', `${host.name} has no API server to wait for`);
  const endpoint = { address: local.advertiseAddress, port: local.bindPort };
  const client = clusterClient(host, endpoint, admin, context.signal);
  try {
    await waitUntil(
      async () => {
        await client.request('GET', '/readyz', { timeoutMs: 5_000 });
        return { met: true, state: '' };
      },
      {
        for: `the API server of ${host.name}`,
        deadlineMs: 240_000,
        intervalMs: 100,
        signal: context.signal,
        hint: `on ${host.name}: the logs of kube-apiserver and etcd in /var/log/containers`,
      },
    );
  } catch (error) {
    throw await withHostEvidence(error, host);
  } finally {
    await client.close();
  }
}
