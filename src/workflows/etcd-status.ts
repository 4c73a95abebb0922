import {
  DEFAULT_QUOTA_BYTES,
  type EtcdAlarm,
  type EtcdClient,
  type EtcdMember,
  type EtcdMemberStatus,
} from '../cluster/etcd.js';
import { memberHosts } from '../config/inventory.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import { deadline } from '../host/deadline.js';
import { etcdPeerUrl } from '../manifests/static-pods/etcd.js';
import type { PhaseContext } from '../phases/context.js';
import { endpointOf, etcdOn } from '../phases/etcd-access.js';
import { clusterTrust } from './cluster-api.js';
import { type EtcdMemberReport, problemsOf } from './etcd-problems.js';
import type { Session } from './session.js';

export interface EtcdStatus {
  cluster: string;
  healthy: boolean;
  /** What is not as it should be, one sentence each. */
  problems: string[];
  members: EtcdMemberReport[];
}

/** Milliseconds for asking a member through another control plane. */
const OTHERS_MS = 5000;

interface Answer {
  status: EtcdMemberStatus;
  latencyMs: number;
}

/**
 * Every etcd member, asked in parallel, also while there is no quorum. Reads only. Give it a tolerant session.
 * @throws CONFLICT where there is no cluster or etcd is run elsewhere; CONNECTION where no member answers at all
 */
export async function etcdStatus(session: Session): Promise<EtcdStatus> {
  const { context, hosts } = session;
  const { config } = context;
  const expected = memberHosts(config);
  if (expected.length === 0) {
    throw new KeelsonError('CONFLICT', 'etcd is run elsewhere: keelson looks after its own members only', {
      hint: 'ask it with etcdctl and the certificates that the cluster file names',
    });
  }
  await clusterTrust(session);
  const reached = expected.filter((host) => hosts.has(host.name));
  const doors = await Promise.all(reached.map((host) => doorOf(context, host.name)));
  try {
    const { members, alarms } = await membership(doors);
    const reports = await Promise.all(
      members.map(async (member): Promise<EtcdMemberReport> => {
        const host = expected.find((own) => member.peerURLs.includes(etcdPeerUrl(own)));
        const answer = await answerOf(context, doors, host?.name, member).catch(toKeelsonError);
        return reportOf(member, host?.name ?? null, answer, alarms);
      }),
    );
    reports.sort((a, b) => (a.name < b.name ? -1 : 1));
    const problems = problemsOf(
      reports,
      expected.map((host) => host.name),
    );
    return { cluster: config.name, healthy: problems.length === 0, problems, members: reports };
  } finally {
    await Promise.all(doors.map((door) => door.client.close()));
  }
}

/** A way to etcd: the member beside an SSH connection. */
interface Door {
  host: string;
  client: EtcdClient;
}

async function doorOf(context: PhaseContext, host: string): Promise<Door> {
  return { host, client: await etcdOn(context, host) };
}

async function membership(
  doors: readonly Door[],
): Promise<{ members: EtcdMember[]; alarms: readonly EtcdAlarm[] }> {
  const failures: KeelsonError[] = [];
  const alarms = firstOf(doors, ({ client }) => client.alarms(), []).catch((): EtcdAlarm[] => []);
  for (const stale of [false, true]) {
    try {
      const members = await firstOf(doors, ({ client }) => client.members({ stale }), failures);
      return { members, alarms: await alarms };
    } catch {
      // Without a leader only what members remember can be had.
    }
  }
  throw new KeelsonError(
    'CONNECTION',
    `no etcd member answers${failures[0] === undefined ? '' : `: ${failures[0].message}`}`,
    {
      hint: 'keelson status shows hosts and kubelets; on a control plane: the log of etcd in /var/log/containers',
    },
  );
}

async function firstOf<T>(
  doors: readonly Door[],
  ask: (door: Door) => Promise<T>,
  failures: KeelsonError[],
): Promise<T> {
  return Promise.any(
    doors.map(async (door) => {
      try {
        return await ask(door);
      } catch (error) {
        failures.push(toKeelsonError(error));
        throw error;
      }
    }),
  );
}

/** Through the member's own host where that can be reached, else through another control plane. */
async function answerOf(
  context: PhaseContext,
  doors: readonly Door[],
  host: string | undefined,
  member: EtcdMember,
): Promise<Answer> {
  const own = doors.find((door) => door.host === host);
  if (own !== undefined) return timed(own.client);
  const [url] = member.clientURLs;
  if (url === undefined) throw new KeelsonError('CONNECTION', 'it has never started');
  const asked = Promise.any(
    doors.map(async (door) => {
      const client = await etcdOn(context, door.host, endpointOf(url));
      try {
        return await timed(client);
      } finally {
        // A connection that is still being made ends only when the other host gives it up.
        client.close().catch(() => undefined);
      }
    }),
  ).catch((error: unknown) => {
    throw error instanceof AggregateError ? error.errors[0] : error;
  });
  // A host that is off lets connections wait for most of a minute.
  const limit = deadline(
    OTHERS_MS,
    context.signal,
    () => new KeelsonError('CONNECTION', `${url} does not answer to the other control planes`),
  );
  return limit.race(asked).finally(limit.stop);
}

/** The second request is the one that counts: the first one opens the connection. */
async function timed(client: EtcdClient): Promise<Answer> {
  await client.status();
  const started = performance.now();
  const status = await client.status();
  return { status, latencyMs: Math.round((performance.now() - started) * 10) / 10 };
}

function reportOf(
  member: EtcdMember,
  host: string | null,
  answer: Answer | KeelsonError,
  alarms: readonly EtcdAlarm[],
): EtcdMemberReport {
  const said = answer instanceof KeelsonError ? null : answer;
  const status = said?.status;
  const size = status === undefined ? null : status.dbSize;
  return {
    name: member.name,
    id: BigInt(member.id).toString(16),
    host,
    isLearner: member.learner,
    isLeader: status !== undefined && status.leader === member.id,
    peerURLs: member.peerURLs,
    clientURLs: member.clientURLs,
    version: status?.version ?? null,
    dbSizeBytes: size,
    dbSizeInUseBytes: status?.dbSizeInUse ?? null,
    dbQuotaBytes: status === undefined ? null : (status.dbQuota ?? DEFAULT_QUOTA_BYTES),
    revision: status?.revision ?? null,
    raftTerm: status?.raftTerm ?? null,
    raftIndex: status?.raftIndex ?? null,
    raftAppliedIndex: status?.raftAppliedIndex ?? null,
    latencyMs: said?.latencyMs ?? null,
    alarms: alarms.filter((alarm) => alarm.member === member.id).map(({ alarm }) => alarm),
    errors: answer instanceof KeelsonError ? [answer.message] : [...answer.status.errors],
  };
}
