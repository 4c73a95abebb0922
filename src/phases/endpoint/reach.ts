import { clusterClient } from '../../cluster/client.js';
import type { EndpointSpec } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { API, BALANCER, CREDENTIALS, ENDPOINT, VIRTUAL_ADDRESS } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';

/** Milliseconds: a load balancer of somebody else's may ask for health rarely, a virtual address needs seconds. */
const DEADLINE_MS = 120_000;
const REQUEST_MS = 5_000;

const HINTS: Record<EndpointSpec['provider'], string> = {
  external:
    'the load balancer has to send to every control plane whose /readyz is fine; see names and firewalls',
  'keepalived-haproxy':
    'on the control planes: journalctl -u keelson-keepalived -u keelson-haproxy; VRRP (IP protocol 112) and the port have to be let through',
  'node-local': 'on the host: journalctl -u keelson-haproxy',
};

/** Why the API does not answer at its endpoint, host by host; [] where it does from all hosts of the run. */
export async function unreached(context: PhaseContext): Promise<string[]> {
  const { endpoint } = context.config.spec;
  const admin = context.trust.admin();
  if (endpoint === null) return [];
  if (admin === null) return ['there are no admin credentials yet'];
  const answers = await Promise.all(
    context.inventory.map(async ({ name }): Promise<string[]> => {
      const { address } = endpoint;
      const client = clusterClient(context.reader(name), endpoint, admin, context.signal, address);
      try {
        await client.request('GET', '/readyz', { timeoutMs: REQUEST_MS });
        return [];
      } catch (error) {
        const { code, message } = toKeelsonError(error);
        if (code === 'ABORTED') throw error;
        return [`${name}: ${message}`];
      } finally {
        await client.close();
      }
    }),
  );
  return answers.flat();
}

export const endpointReach = defineClusterPhase({
  name: 'endpoint/reach',
  summary: 'the API answers at its endpoint, asked from every host',
  target: 'cluster',
  needs: [API, CREDENTIALS, BALANCER, VIRTUAL_ADDRESS],
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
      hint: HINTS[endpoint.provider],
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'endpoint/reach', host: '', for: 'the API endpoint', last }),
    },
  );
}
