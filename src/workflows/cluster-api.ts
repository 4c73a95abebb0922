import type { ClusterClient } from '../cluster/client.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { observeTrust } from './require.js';
import type { Session } from './session.js';

/**
 * Takes over the cluster's CA and admin identity.
 * @throws CONFLICT where there is no cluster yet; what connecting failed with where no control plane was reached
 */
export async function clusterTrust(session: Session): Promise<void> {
  requireFirst(session);
  await observeTrust(session);
  if (session.context.trust.caCertificate() === null) throw noCluster(session);
}

/**
 * A client of the running cluster, as the admin that the first control plane knows.
 * @throws CONFLICT where there is no cluster yet; what connecting failed with where no control plane was reached
 */
export async function clusterApi(session: Session): Promise<ClusterClient> {
  const { context } = session;
  requireFirst(session);
  await observeTrust(session);
  const client = context.api();
  if (client === null) throw noCluster(session);
  return client;
}

/** A tolerant session is there also where the control plane that it would go through is not. */
function requireFirst({ context, hosts, failures }: Session): void {
  const { name } = context.first;
  if (hosts.has(name)) return;
  throw failures.get(name) ?? new KeelsonError('CONNECTION', 'not connected', { host: name });
}

function noCluster({ context }: Session): KeelsonError {
  return new KeelsonError('CONFLICT', 'there is no cluster yet: no admin identity was found', {
    host: context.first.name,
    hint: 'run keelson apply first',
  });
}
