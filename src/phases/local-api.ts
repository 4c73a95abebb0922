import { clusterClient, statusOf } from '../cluster/client.js';
import { waitUntil } from '../engine/wait.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import type { PhaseContext } from './context.js';
import { withHostEvidence } from './evidence.js';

/**
 * Waits until the API server of a control plane serves.
 * @throws DEADLINE with the host's evidence
 */
export async function awaitLocalApi(context: PhaseContext, host: HostReader): Promise<void> {
  const admin = context.trust.admin();
  const local = context.hostNamed(host.name).localAPIEndpoint;
  if (admin === null || local === null)
    throw new KeelsonError('BUG', `${host.name} has no API server to wait for`);
  const endpoint = { address: local.advertiseAddress, port: local.bindPort };
  const client = clusterClient(host, endpoint, admin, context.signal);
  try {
    await waitUntil(
      async () => {
        try {
          await client.request('GET', '/readyz', { timeoutMs: 5_000 });
        } catch (error) {
          // A young API server does not know yet what an admin without system:masters may do.
          if (statusOf(error) !== 403) throw error;
          return { met: false, state: 'the API server has not read its roles yet' };
        }
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
