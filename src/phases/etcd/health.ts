import type { EtcdClient, EtcdMember } from '../../cluster/etcd.js';
import type { MemberHealth } from '../../cluster/etcd-quorum.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { PhaseContext } from '../context.js';
import { endpointOf, etcdOn, memberDoor } from '../etcd-access.js';

/** A client of any member, as the host sees it through which etcd is asked. */
export function clientOf(context: PhaseContext, member: EtcdMember): Promise<EtcdClient> {
  const [url] = member.clientURLs;
  if (url === undefined) throw new KeelsonError('CONNECTION', 'the member has never started');
  return etcdOn(context, memberDoor(context), endpointOf(url));
}

/** Which members answer and know a leader, asked in parallel; and who leads, by id. */
export async function healthOf(
  context: PhaseContext,
  members: readonly EtcdMember[],
): Promise<{ health: MemberHealth[]; leader: string }> {
  const answers = await Promise.all(members.map((member) => leaderSeenBy(context, member)));
  return {
    health: members.map((member, index) => ({
      id: member.id,
      name: member.name === '' ? (member.peerURLs[0] ?? member.id) : member.name,
      learner: member.learner,
      healthy: (answers[index] ?? '') !== '',
    })),
    leader: answers.find((leader) => leader !== '') ?? '',
  };
}

async function leaderSeenBy(context: PhaseContext, member: EtcdMember): Promise<string> {
  if (member.clientURLs.length === 0) return '';
  const client = await clientOf(context, member);
  try {
    return (await client.status()).leader;
  } catch (error) {
    if (error instanceof KeelsonError && error.code !== 'ABORTED') return '';
    throw error;
  } finally {
    await client.close();
  }
}
