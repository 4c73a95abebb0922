import { clusterClient } from '../../cluster/client.js';
import type { ClientCredentials, Endpoint } from '../../cluster/tls-agent.js';
import type { EndpointSpec } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { answering } from '../answering.js';
import { API, BALANCER, ENDPOINT, VIRTUAL_ADDRESS } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';

/** Milliseconds: a load balancer of somebody else's may ask for health rarely, a virtual address needs seconds. */
const DEADLINE_MS = 120_000;

/** Milliseconds for one answer. */
const REQUEST_MS = 5_000;

const HINTS: Record<EndpointSpec['provider'], string> = {
  external:
    'the load balancer has to send to every control plane whose /readyz is fine; see names and firewalls',
  'keepalived-haproxy':
    'on the control planes: journalctl -u keelson-keepalived -u keelson-haproxy; VRRP (IP protocol 112) and the port have to be let through',
  'node-local': 'on the host: journalctl -u keelson-haproxy',
};

/** From where, at which address, and for which name in the certificate. */
type Look = { host: string; at: Endpoint; servername: string };

/** What a look at the API says; null where it is fine. */
async function failureOf(
  context: PhaseContext,
  admin: ClientCredentials,
  look: Look,
): Promise<KeelsonError | null> {
  const client = clusterClient(context.reader(look.host), look.at, admin, context.signal, look.servername);
  try {
    await client.request('GET', '/readyz', { timeoutMs: REQUEST_MS });
    return null;
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    if (error.code === 'ABORTED') throw error;
    return error;
  } finally {
    await client.close();
  }
}

/** Control planes whose API server runs, and whose certificate is not for the endpoint yet. */
async function unnamed(context: PhaseContext, admin: ClientCredentials, name: string): Promise<string[]> {
  const planes = context.inventory.filter(({ role }) => role === 'control-plane');
  const answers = await Promise.all(
    planes.map(async (plane): Promise<string[]> => {
      const local = context.hostNamed(plane.name).localAPIEndpoint;
      if (local === null) return [];
      const at = { address: local.advertiseAddress, port: local.bindPort };
      const failure = await failureOf(context, admin, { host: plane.name, at, servername: name });
      const code = (failure?.cause as { code?: string } | undefined)?.code;
      return code === 'ERR_TLS_CERT_ALTNAME_INVALID'
        ? [`${plane.name}: the certificate of its API server is not for ${name} yet`]
        : [];
    }),
  );
  return answers.flat();
}

/** Hosts of this run that use the endpoint. */
const nodesOf = ({ inventory }: PhaseContext): string[] =>
  inventory.filter(({ role }) => role !== 'etcd').map(({ name }) => name);

/** Why the API does not answer at its endpoint, host by host; [] where it does from all nodes of the run. */
async function unreached(context: PhaseContext): Promise<string[]> {
  const { endpoint } = context.config.spec;
  const admin = context.trust.admin();
  if (endpoint === null) return [];
  if (admin === null) return ['there are no admin credentials yet'];
  const [early, ...answers] = await Promise.all([
    unnamed(context, admin, endpoint.address),
    ...nodesOf(context).map(async (name): Promise<string[]> => {
      const look = { host: name, at: endpoint, servername: endpoint.address };
      const failure = await failureOf(context, admin, look);
      return failure === null ? [] : [`${name}: ${failure.message}`];
    }),
  ]);
  return [...early, ...answers.flat()];
}

export const endpointReach = defineClusterPhase({
  name: 'endpoint/reach',
  summary:
    'the API answers at its endpoint, asked from every host, and every API server’s certificate is for it',
  target: 'cluster',
  awaits: true,
  needs: [API, BALANCER, VIRTUAL_ADDRESS],
  provides: [ENDPOINT],
  runIf: ({ config }) => config.spec.endpoint !== null,
  check: async (context) => {
    const reasons = await unreached(context);
    if (reasons.length === 0) return { standing: 'satisfied', reasons, changes: [] };
    const summary = `wait until the API answers at ${context.config.cluster.controlPlaneEndpoint} from every host`;
    return { standing: 'missing', reasons, changes: [{ kind: 'action', name: 'wait', summary }] };
  },
  actions: { wait: awaitEndpoint },
});

async function awaitEndpoint(context: PhaseContext): Promise<void> {
  const { endpoint } = context.config.spec;
  if (endpoint === null) throw new KeelsonError('BUG', 'there is no endpoint to wait for');
  await waitUntil(
    async () => {
      const reasons = await unreached(context);
      return { met: reasons.length === 0, state: reasons.join('; ') };
    },
    {
      for: `the API at ${context.config.cluster.controlPlaneEndpoint}`,
      deadlineMs: DEADLINE_MS,
      intervalMs: 200,
      signal: context.signal,
      guard: answering(context, nodesOf(context)),
      hint: HINTS[endpoint.provider],
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'endpoint/reach', host: '', for: 'the API endpoint', last }),
    },
  );
}
