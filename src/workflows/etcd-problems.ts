/** One member. Numbers are null where it did not answer. */
export interface EtcdMemberReport {
  name: string;
  /** As etcdctl shows it: hexadecimal. */
  id: string;
  /** Host of the cluster file; null for a member that none of them has. */
  host: string | null;
  isLearner: boolean;
  isLeader: boolean;
  peerURLs: readonly string[];
  clientURLs: readonly string[];
  version: string | null;
  dbSizeBytes: number | null;
  dbSizeInUseBytes: number | null;
  /** Size at which etcd refuses writes. */
  dbQuotaBytes: number | null;
  revision: number | null;
  raftTerm: number | null;
  raftIndex: number | null;
  raftAppliedIndex: number | null;
  /** Of one status request on an open connection, the way over SSH included. */
  latencyMs: number | null;
  alarms: string[];
  /** What the member reports of itself, or why it does not answer. */
  errors: string[];
}

/** Part of the quota from which on a database is too large for comfort. */
const NEAR_QUOTA = 0.8;

/**
 * What is wrong with an etcd cluster, one sentence each.
 * @param planes hosts of the file that should have a member
 */
export function problemsOf(members: readonly EtcdMemberReport[], planes: readonly string[]): string[] {
  const answering = members.filter((member) => member.latencyMs !== null);
  const leaders = members.filter((member) => member.isLeader);
  const voters = members.filter((member) => !member.isLearner);
  const up = answering.filter((member) => !member.isLearner).length;
  return [
    ...(leaders.length === 0 ? [`etcd has no leader: ${up} of ${voters.length} voting members answer`] : []),
    ...(leaders.length > 1 ? [`several members say that they lead: ${leaders.map(nameOf).join(', ')}`] : []),
    ...members.flatMap(memberProblems),
    ...planes
      .filter((plane) => !members.some((member) => member.host === plane))
      .map((plane) => `${plane} has no etcd member`),
  ];
}

function memberProblems(member: EtcdMemberReport): string[] {
  const name = nameOf(member);
  const { dbSizeBytes, dbQuotaBytes } = member;
  const near =
    dbSizeBytes !== null && dbQuotaBytes !== null && dbSizeBytes > dbQuotaBytes * NEAR_QUOTA
      ? [`${name}: its database has ${Math.round((dbSizeBytes / dbQuotaBytes) * 100)} % of its quota`]
      : [];
  return [
    ...(member.name === '' ? [`${name} was added and has never started`] : []),
    ...(member.latencyMs === null && member.name !== ''
      ? [`${name} does not answer: ${member.errors[0] ?? ''}`]
      : []),
    ...(member.isLearner && member.name !== '' ? [`${name} is a learner and does not vote`] : []),
    ...member.alarms.map((alarm) => `${name} raised the alarm ${alarm}`),
    ...(member.latencyMs === null ? [] : member.errors.map((error) => `${name}: ${error}`)),
    ...near,
    ...(member.host === null ? [`${name} belongs to no control plane of the cluster file`] : []),
  ];
}

const nameOf = (member: EtcdMemberReport) =>
  member.name === '' ? `the member at ${member.peerURLs.join(', ')}` : member.name;
