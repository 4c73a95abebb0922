import { KeelsonError } from '../../errors/keelson-error.js';
import type { PhaseContext } from '../context.js';
import { firstMember } from '../etcd-access.js';

/** Asks etcd for its members, for phases to plan with. An etcd that does not answer is no error: then nothing is known. */
export async function refreshMembers(context: PhaseContext): Promise<void> {
  // Before the first start there is nothing that could answer, and no certificate to ask with.
  if (!context.established && context.api() === null) return context.members.seen(null);
  const client = await firstMember(context);
  try {
    context.members.seen(await client.members());
  } catch (error) {
    if (!(error instanceof KeelsonError) || (error.code !== 'CONNECTION' && error.code !== 'CONFLICT'))
      throw error;
    context.members.seen(null);
  } finally {
    await client.close();
  }
}
