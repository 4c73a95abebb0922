import { type ClusterClient, statusOf } from '../../cluster/client.js';
import { type Condition, waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Run } from './run.js';

export interface Awaited {
  /** Host that is waited for; '' for the cluster. */
  host: string;
  /** As it completes "timed out waiting for …". */
  for: string;
  deadlineMs: number;
  hint?: string;
}

/**
 * Waits for what the API tells, through API servers that may be restarting meanwhile: one that is young does not
 * know yet what an admin without system:masters may do.
 * @throws DEADLINE with the last state seen
 */
export async function awaitApi(
  run: Run,
  look: (api: ClusterClient) => Promise<Condition>,
  { host, ...options }: Awaited,
): Promise<void> {
  const { context, emit } = run.session;
  await waitUntil(
    async () => {
      try {
        return await look(await run.api());
      } catch (error) {
        if (statusOf(error) !== 403 || !(error instanceof KeelsonError)) throw error;
        return { met: false, state: error.message };
      }
    },
    {
      ...options,
      intervalMs: 250,
      signal: context.signal,
      onState: (last) => emit({ type: 'waiting', phase: 'rotate', host, for: options.for, last }),
    },
  );
}
