import type { EtcdClient } from '../../cluster/etcd.js';
import { type Condition, waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { PhaseContext } from '../context.js';
import { firstMember } from '../etcd-access.js';

/** Milliseconds in which etcd has elected a leader, where it can; its own timeout is a second. */
const ELECTION_MS = 5_000;

/** Asks etcd for its members, for phases to plan with. An etcd that does not answer is no error: then nothing is known. */
export async function refreshMembers(context: PhaseContext): Promise<void> {
  // Before the first start there is nothing that could answer, and no certificate to ask with.
  if (!context.established && context.api() === null) return context.members.seen(null);
  const client = await firstMember(context);
  try {
    await waitUntil(() => look(context, client), {
      for: 'etcd to name its members',
      deadlineMs: ELECTION_MS,
      signal: context.signal,
    });
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
    context.members.seen(null);
  } finally {
    await client.close();
  }
}

/** Who does not answer at all is not waited for; who is between two leaders is. */
async function look(context: PhaseContext, client: EtcdClient): Promise<Condition> {
  try {
    context.members.seen(await client.members());
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'CONNECTION') throw error;
    context.members.seen(null);
  }
  return { met: true, state: '' };
}
