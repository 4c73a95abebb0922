import type { ClusterClient } from '../cluster/client.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { observeTrust } from './require.js';
import type { Session } from './session.js';

/**
 * Takes over the cluster's CA and admin identity.
 * @throws CONFLICT where there is no cluster yet
 */
export async function clusterTrust(session: Session): Promise<void> {
  await observeTrust(session);
  if (session.context.trust.caCertificate() === null) throw noCluster(session);
}

/**
 * A client of the running cluster, as the admin that the first control plane knows.
 * @throws CONFLICT where there is no cluster yet
 */
export async function clusterApi(session: Session): Promise<ClusterClient> {
  const { context } = session;
  await observeTrust(session);
  const client = context.api();
  if (client === null) throw noCluster(session);
  return client;
}

function noCluster({ context }: Session): KeelsonError {
  return new KeelsonError('CONFLICT', 'there is no cluster yet: no admin identity was found', {
    host: context.first.name,
    hint: 'run keelson apply first',
  });
}
