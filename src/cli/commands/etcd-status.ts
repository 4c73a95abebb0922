import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { bytes, table } from '../../report/table.js';
import type { EtcdMemberReport } from '../../workflows/etcd-problems.js';
import { type EtcdStatus, etcdStatus } from '../../workflows/etcd-status.js';
import { CLUSTER_OPTIONS, clusterConfig, onControlPlanes, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

/** Exit code of an unhealthy etcd, the same as that of a failed verify. */
const UNHEALTHY = exitCodeOf(new KeelsonError('VERIFY', 'etcd is not healthy'));

const COLUMNS = ['MEMBER', 'ID', 'ROLE', 'VERSION', 'DB', 'IN USE', 'REVISION', 'TERM', 'INDEX', 'LATENCY'];

export const command = defineCommand({
  name: 'etcd status',
  summary: 'etcd’s members, leader, sizes, alarms and latency',
  details: `Reads only. Exits ${UNHEALTHY} where anything is wrong: a member that does not answer, a learner, an alarm,
no leader, a database of more than 80 % of its quota.`,
  options: CLUSTER_OPTIONS,
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const status = await etcdStatus(session);
        return { data: status, text: textOf(status), exitCode: status.healthy ? 0 : UNHEALTHY };
      },
      { ...onControlPlanes(config), quiet: true },
    );
  },
});

function textOf(status: EtcdStatus): string {
  const verdict = status.healthy
    ? `etcd of ${status.cluster} is healthy.`
    : [`etcd of ${status.cluster} is not healthy:`, ...status.problems.map((text) => `  ✖ ${text}`)].join(
        '\n',
      );
  return `${table(COLUMNS, status.members.map(rowOf))}\n${verdict}\n`;
}

function rowOf(member: EtcdMemberReport): string[] {
  const number = (value: number | null) => (value === null ? '-' : String(value));
  const size = (value: number | null) => (value === null ? '-' : bytes(value));
  const role = member.isLeader ? 'leader' : member.isLearner ? 'learner' : 'follower';
  return [
    member.name === '' ? member.peerURLs.join(',') : member.name,
    member.id,
    member.latencyMs === null && !member.isLearner ? 'down' : role,
    member.version ?? '-',
    size(member.dbSizeBytes),
    size(member.dbSizeInUseBytes),
    number(member.revision),
    number(member.raftTerm),
    number(member.raftIndex),
    member.latencyMs === null ? '-' : `${member.latencyMs} ms`,
  ];
}
