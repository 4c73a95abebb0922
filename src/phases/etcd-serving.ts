import { waitUntil } from '../engine/wait.js';
import { toKeelsonError } from '../errors/keelson-error.js';
import type { PhaseContext } from './context.js';
import { etcdOn } from './etcd-access.js';
import { withHostEvidence } from './evidence.js';

/** Milliseconds for members to elect a leader, or for one to come back. */
const SERVING_MS = 120_000;

/** Why the host's member does not serve with a leader; null when it does. */
export async function unanswered(context: PhaseContext, name: string): Promise<string | null> {
  const client = await etcdOn(context, name);
  try {
    // Linearizable: only a member with a leader answers.
    await client.members();
    return null;
  } catch (error) {
    const known = toKeelsonError(error);
    if (!known.retryable) throw error;
    return `${name}: ${known.message}`;
  } finally {
    await client.close();
  }
}

/**
 * Waits until the members of these hosts serve with a leader.
 * @throws DEADLINE with the evidence of one that does not
 */
export async function awaitMembers(context: PhaseContext, names: readonly string[]): Promise<void> {
  let silent: string = names[0] ?? '';
  try {
    await waitUntil(
      async () => {
        const answers = await Promise.all(names.map((name) => unanswered(context, name)));
        silent = names[answers.findIndex((answer) => answer !== null)] ?? silent;
        const states = answers.filter((answer) => answer !== null);
        return { met: states.length === 0, state: states.join('; ') };
      },
      {
        for: `etcd on ${names.join(', ')}`,
        deadlineMs: SERVING_MS,
        intervalMs: 100,
        signal: context.signal,
        hint: 'on the host: journalctl -u kubelet, and the log of the etcd container in /var/log/containers',
        onState: (last) => context.emit({ type: 'waiting', phase: 'etcd/wait', host: '', for: 'etcd', last }),
      },
    );
  } catch (error) {
    throw await withHostEvidence(error, context.reader(silent));
  }
}
