import { type ClusterClient, statusOf } from '../cluster/client.js';
import { waitUntil } from '../engine/wait.js';
import { type KeelsonError, toKeelsonError } from '../errors/keelson-error.js';

/** Milliseconds for one answer. */
const REQUEST_MS = 5_000;
/** An API server starts within so many seconds on a computer that has much else to do. */
const STARTING_MS = 30_000;

/**
 * What an API server's /readyz says; null where it is fine. One that is starting is asked again: at first it is not
 * ready (500 and more), then it has not read its roles yet and refuses everybody but system:masters (403).
 * @param startingMs milliseconds that it is given; 0 to ask once
 * @throws ABORTED
 */
export async function readyzFailure(
  client: Pick<ClusterClient, 'request'>,
  signal: AbortSignal,
  startingMs: number = STARTING_MS,
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
    const status = failure === null ? undefined : statusOf(failure);
    const starting = status === 403 || (status !== undefined && status >= 500);
    return { met: !starting, state: 'the API server is starting' };
  };
  try {
    await waitUntil(ask, { for: 'an API server to start', deadlineMs: startingMs, signal });
  } catch (error) {
    if (toKeelsonError(error).code !== 'DEADLINE') throw error;
  }
  return failure;
}
