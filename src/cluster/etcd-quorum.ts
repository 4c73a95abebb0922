/** What deciding about a member's removal has to know of each member. */
export interface MemberHealth {
  id: string;
  /** Name, or peer URL of a member that never started. */
  name: string;
  learner: boolean;
  /** It answered, and knows a leader. */
  healthy: boolean;
}

/** Voters that have to be up for a cluster of so many to go on. */
function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * Why taking members out would cost etcd its quorum, or can't be done any more; null where it is safe. Members go
 * one after the other; those that are down go first.
 */
export function removalObstacle(members: readonly MemberHealth[], leaving: readonly string[]): string | null {
  const names = (some: readonly MemberHealth[]) => some.map((member) => member.name).join(', ');
  const going = members.filter((member) => leaving.includes(member.id));
  if (going.length === 0) return null;
  const voters = members.filter((member) => !member.learner);
  const staying = voters.filter((member) => !leaving.includes(member.id));
  const up = voters.filter((member) => member.healthy).length;
  if (up < quorumOf(voters.length)) {
    return `etcd has no quorum: ${up} of ${voters.length} voting members answer, ${quorumOf(voters.length)} are needed to change members`;
  }
  if (staying.length === 0) return `${names(going)} would leave etcd without a voting member`;
  const stayingUp = staying.filter((member) => member.healthy);
  if (stayingUp.length >= quorumOf(staying.length)) return null;
  const down = names(staying.filter((member) => !member.healthy));
  return `without ${names(going)} etcd would lose its quorum: of the ${staying.length} voting members that stay, ${down} ${staying.length - stayingUp.length === 1 ? 'is' : 'are'} down and ${quorumOf(staying.length)} are needed`;
}

/** Ids of members in the order in which they are to be taken out: those that are down first, so that no step hangs. */
export function removalOrder(members: readonly MemberHealth[], leaving: readonly string[]): string[] {
  return members
    .filter((member) => leaving.includes(member.id))
    .sort((a, b) => Number(a.healthy) - Number(b.healthy))
    .map((member) => member.id);
}
