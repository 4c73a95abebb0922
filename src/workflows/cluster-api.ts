import type { ClusterClient } from '../cluster/client.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { observeTrust } from './require.js';
import type { Session } from './session.js';

/**
 * A client of the running cluster, as the admin that the first control plane knows.
 * @throws CONFLICT where there is no cluster yet
 */
export async function clusterApi(session: Session): Promise<ClusterClient> {
  const { context } = session;
  await observeTrust(session);
  const client = context.api();
  if (client === null) {
    throw new KeelsonError('CONFLICT', 'there is no cluster yet: no admin identity was found', {
      host: context.first.name,
      hint: 'run keelson apply first',
    });
  }
  return client;
}
