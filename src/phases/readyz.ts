import { type ClusterClient, statusOf } from '../cluster/client.js';
import { waitUntil } from '../engine/wait.js';
import { type KeelsonError, toKeelsonError } from '../errors/keelson-error.js';

/** Milliseconds for one answer. */
const REQUEST_MS = 5_000;
/** A young API server does not know yet what an admin without system:masters may do; it reads its roles in seconds. */
const ROLES_MS = 20_000;

/**
 * What an API server's /readyz says; null where it is fine. One that has just started is asked again until it has
 * read its roles: without them it refuses everybody.
 * @throws ABORTED
 */
export async function readyzFailure(
  client: Pick<ClusterClient, 'request'>,
  signal: AbortSignal,
  rolesMs: number = ROLES_MS,
): Promise<KeelsonError | null> {
  let failure: KeelsonError | null = null;
  const ask = async () => {
    failure = null;
    try {
      await client.request('GET', '/readyz', { timeoutMs: REQUEST_MS });
    } catch (error) {
      failure = toKeelsonError(error);
      if (failure.code === 'ABORTED') throw error;
    }
    const young = failure !== null && statusOf(failure) === 403;
    return { met: !young, state: 'the API server has not read its roles yet' };
  };
  try {
    await waitUntil(ask, { for: 'the roles of an API server', deadlineMs: rolesMs, signal });
  } catch (error) {
    if (toKeelsonError(error).code !== 'DEADLINE') throw error;
  }
  return failure;
}
