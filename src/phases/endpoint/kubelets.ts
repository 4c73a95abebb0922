import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { controlPlaneUrl } from '../../manifests/addresses.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { readKubeconfig } from '../../pki/kubeconfig.js';
import { SECRET_MODE } from '../../pki/table.js';
import { answering } from '../answering.js';
import { ENDPOINT, ENDPOINT_ADOPTED, NODES } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { kubeletConf } from '../kubelet-conf.js';
import { KUBELET_CONF } from '../paths.js';
import { verdictOf } from '../rendered.js';

/** Milliseconds until a restarted kubelet has renewed its lease; it does so every ten seconds. */
const LEASE_DEADLINE_MS = 60_000;

/** Control planes' kubelets use the API server beside them, whatever the endpoint is. */
export const endpointKubelets = defineHostPhase({
  name: 'endpoint/kubelets',
  summary: 'workers’ kubelets use the endpoint, one host after the other',
  target: 'workers',
  serial: true,
  needs: [ENDPOINT, NODES],
  provides: [ENDPOINT_ADOPTED],
  observe: () => ({ files: [KUBELET_CONF] }),
  plan: (context, _host, seen) => {
    const text = seen.files.get(KUBELET_CONF)?.content?.toString();
    const server = controlPlaneUrl(context.config);
    if (text === undefined) return verdictOf([]);
    const current = readKubeconfig(text, KUBELET_CONF).server;
    if (current === server) return verdictOf([]);
    const summary = `point ${KUBELET_CONF} to ${server} instead of ${current} and restart the kubelet; pods go on`;
    return {
      standing: 'drifted',
      reasons: [`${KUBELET_CONF} points to ${current}`],
      changes: [{ kind: 'action', name: 'point', summary }],
    };
  },
  actions: { point },
});

/** Where the kubelet doesn't get through to the API at the new server, it gets the old one back. */
async function point(context: PhaseContext, host: Host): Promise<void> {
  const before = (await host.read({ files: [KUBELET_CONF] })).files.get(KUBELET_CONF)?.content;
  if (before === undefined)
    throw new KeelsonError('BUG', `${KUBELET_CONF} is not there`, { host: host.name });
  const put = async (content: Buffer) => {
    await host.put([{ path: KUBELET_CONF, content, mode: SECRET_MODE }]);
    await host.service('restart', KUBELET_UNIT);
  };
  const renewed = await leaseOf(context, host.name);
  await put(Buffer.from(kubeletConf(before.toString('utf8'), controlPlaneUrl(context.config))));
  try {
    await awaitLease(context, host.name, renewed);
  } catch (error) {
    if (error instanceof KeelsonError && error.code === 'DEADLINE') await put(before);
    throw error;
  }
}

/** When the kubelet last said that it lives, as the API has it. */
async function leaseOf(context: PhaseContext, host: string): Promise<string> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to look at');
  const lease = await client.get({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'kube-node-lease',
    name: context.hostNamed(host).nodeRegistration.name,
  });
  return String((lease?.spec as { renewTime?: string } | undefined)?.renewTime ?? '');
}

async function awaitLease(context: PhaseContext, host: string, before: string): Promise<void> {
  await waitUntil(
    async () => {
      const now = await leaseOf(context, host);
      return { met: now !== '' && now !== before, state: `its lease is of ${now === '' ? 'never' : now}` };
    },
    {
      for: `the kubelet of ${host} to reach the API at ${controlPlaneUrl(context.config)}`,
      deadlineMs: LEASE_DEADLINE_MS,
      intervalMs: 100,
      signal: context.signal,
      guard: answering(context, [host]),
      hint: `on ${host}: journalctl -u kubelet; it uses its former server again`,
    },
  );
}
