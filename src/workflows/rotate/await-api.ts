import type { ClusterClient } from '../../cluster/client.js';
import { type Condition, waitUntil } from '../../engine/wait.js';
import { throughYoungApi } from '../../phases/young-api.js';
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
 * Waits for what the API tells, through API servers that may be restarting meanwhile.
 * @throws DEADLINE with the last state seen
 */
export async function awaitApi(
  run: Run,
  look: (api: ClusterClient) => Promise<Condition>,
  { host, ...options }: Awaited,
): Promise<void> {
  const { context, emit } = run.session;
  await waitUntil(() => throughYoungApi(async () => look(await run.api())), {
    ...options,
    intervalMs: 250,
    signal: context.signal,
    onState: (last) => emit({ type: 'waiting', phase: 'rotate', host, for: options.for, last }),
  });
}
