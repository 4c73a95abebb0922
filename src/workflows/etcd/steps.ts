import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { combineFailures } from '../../host/pool.js';
import type { Session } from '../session.js';

/**
 * Does one thing on several hosts at once and tells of it as of a phase. All are awaited, whatever fails.
 * @throws what failed; HOSTS_FAILED where it was different on several
 */
export async function onHosts(
  { emit, context }: Session,
  phase: string,
  hosts: readonly string[],
  work: (host: string) => Promise<void>,
): Promise<void> {
  const results = await Promise.allSettled(
    hosts.map(async (host) => {
      context.signal.throwIfAborted();
      const started = context.now();
      emit({ type: 'task-started', phase, host, changes: 1 });
      try {
        await work(host);
        emit({ type: 'task-finished', phase, host, durationMs: context.now() - started, changes: 1 });
      } catch (thrown) {
        const error = toKeelsonError(thrown).within({ phase, ...(host === '' ? {} : { host }) });
        emit({ type: 'task-failed', phase, host, error });
        throw error;
      }
    }),
  );
  const failures = results.flatMap((result) =>
    result.status === 'rejected' && result.reason instanceof KeelsonError ? [result.reason] : [],
  );
  if (failures.length > 0) throw combineFailures(failures, hosts.length);
}
