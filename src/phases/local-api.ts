import { type ClusterClient, clusterClient } from '../cluster/client.js';
import { asControlPlane } from '../config/inventory.js';
import { waitUntil } from '../engine/wait.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import type { PhaseContext } from './context.js';
import { withHostEvidence } from './evidence.js';
import { throughYoungApi } from './young-api.js';

/**
 * A client of the API server on one control plane, as the cluster's admin. Close it when done.
 * @throws KeelsonError BUG for a worker, and before any admin is known
 */
export function localApi(context: PhaseContext, host: string): ClusterClient {
  const admin = context.trust.admin();
  const { advertiseAddress, bindPort } = asControlPlane(context.hostNamed(host)).localAPIEndpoint;
  if (admin === null) throw new KeelsonError('BUG', 'no admin is known yet', { host });
  const endpoint = { address: advertiseAddress, port: bindPort };
  return clusterClient(context.reader(host), endpoint, admin, context.signal);
}

/**
 * Waits until the API server of a control plane serves.
 * @param path what it has to answer; default whether it is ready
 * @throws DEADLINE with the host's evidence
 */
export async function awaitLocalApi(
  context: PhaseContext,
  host: HostReader,
  path = '/readyz',
): Promise<void> {
  const client = localApi(context, host.name);
  try {
    await waitUntil(
      () =>
        throughYoungApi(async () => {
          await client.request('GET', path, { timeoutMs: 5_000 });
          return { met: true, state: '' };
        }),
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
