import { DEFAULT_QUOTA_BYTES, type EtcdAlarm, type EtcdMember } from '../../cluster/etcd.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { endpointOf, etcdOn } from '../../phases/etcd-access.js';
import type { EtcdMemberReport } from '../etcd-problems.js';
import { etcdStatus } from '../etcd-status.js';
import { withLock } from '../lock.js';
import type { Session } from '../session.js';
import { onHosts } from './steps.js';

interface DefragMember {
  name: string;
  /** Bytes of the database before and after. */
  before: number;
  after: number;
}

export interface DefragResult {
  cluster: string;
  members: DefragMember[];
  /** NOSPACE alarms that were taken back, by the member's name. */
  disarmed: string[];
  /** Alarms that stay, one sentence each. */
  alarms: string[];
  durationMs: number;
}

/** A member answers nothing while it rewrites its database; a disk does 20 MB a second at the very least. */
const DEFRAG_MS = 600_000;
/** Until a member has caught up with what the others did meanwhile. */
const CATCH_UP_MS = 120_000;

/**
 * Gives free pages of every member's database back to its filesystem: one member after the other, the leader last,
 * each only when the one before serves again. Then takes back NOSPACE alarms where there is room.
 * @throws CONFLICT while a member is missing, since each of them stands still for a moment; LOCKED, DEADLINE
 */
export async function defragment(session: Session, { owner }: { owner: string }): Promise<DefragResult> {
  const { context } = session;
  const started = context.now();
  return withLock(session, { owner, run: 'etcd defrag' }, async () => {
    const { members } = await etcdStatus(session);
    refuseIncomplete(members);
    const done: DefragMember[] = [];
    for (const member of defragOrder(members)) {
      const at = placeOf(session, member);
      await onHosts(session, 'etcd/defrag', [member.host ?? ''], async () => {
        const client = await etcdOn(context, at.host, at.endpoint);
        try {
          const before = (await client.status()).dbSize;
          await client.defragment(DEFRAG_MS);
          await awaitServing(session, member, async () => (await client.members()).length);
          done.push({ name: member.name, before, after: (await client.status()).dbSize });
        } finally {
          await client.close();
        }
      });
    }
    const alarms = await disarm(session, members, done);
    return { cluster: context.config.name, members: done, ...alarms, durationMs: context.now() - started };
  });
}

/** Followers first, so that the leader, which everybody waits for, stands still only once. */
export function defragOrder(members: readonly EtcdMemberReport[]): EtcdMemberReport[] {
  return [...members].sort((a, b) => Number(a.isLeader) - Number(b.isLeader));
}

function refuseIncomplete(members: readonly EtcdMemberReport[]): void {
  const missing = members.filter(({ latencyMs }) => latencyMs === null);
  if (missing.length === 0 && members.some(({ isLeader }) => isLeader)) return;
  const names = missing.map(({ name }) => name).join(', ');
  throw new KeelsonError('CONFLICT', `${names === '' ? 'etcd has no leader' : `${names} does not answer`}`, {
    hint: 'a member stands still while its database is rewritten, so all have to be there: see keelson etcd status',
  });
}

function placeOf({ context, hosts }: Session, member: EtcdMemberReport) {
  if (member.host !== null && hosts.has(member.host)) return { host: member.host, endpoint: undefined };
  const [url] = member.clientURLs;
  return { host: context.first.name, endpoint: url === undefined ? undefined : endpointOf(url) };
}

async function awaitServing(
  { context }: Session,
  { name }: EtcdMemberReport,
  look: () => Promise<number>,
): Promise<void> {
  await waitUntil(async () => ({ met: (await look()) > 0, state: '' }), {
    for: `the etcd member ${name} to serve again`,
    deadlineMs: CATCH_UP_MS,
    signal: context.signal,
    hint: 'keelson etcd status',
  });
}

/** NOSPACE is taken back where the database has room again; CORRUPT never, since it says that content differs. */
async function disarm(
  session: Session,
  members: readonly EtcdMemberReport[],
  done: readonly DefragMember[],
): Promise<{ disarmed: string[]; alarms: string[] }> {
  const { context } = session;
  const [reached] = members.filter(({ host }) => host !== null && session.hosts.has(host));
  const client = await etcdOn(context, reached?.host ?? context.first.name);
  try {
    const disarmed: string[] = [];
    const alarms: string[] = [];
    const ids = await client.members();
    for (const alarm of await client.alarms()) {
      const name = ids.find(({ id }: EtcdMember) => id === alarm.member)?.name ?? alarm.member;
      if (
        hasRoom(
          alarm,
          members.find((member) => member.name === name),
          done.find((member) => member.name === name),
        )
      ) {
        await client.disarm(alarm);
        disarmed.push(name);
      } else alarms.push(sentenceOf(alarm, name));
    }
    return { disarmed, alarms };
  } finally {
    await client.close();
  }
}

function hasRoom(
  { alarm }: EtcdAlarm,
  report: EtcdMemberReport | undefined,
  done: DefragMember | undefined,
): boolean {
  if (alarm !== 'NOSPACE' || done === undefined) return false;
  return done.after < (report?.dbQuotaBytes ?? DEFAULT_QUOTA_BYTES) * 0.9;
}

function sentenceOf({ alarm }: EtcdAlarm, name: string): string {
  if (alarm === 'NOSPACE')
    return `${name} still has no space: its quota is used up by keys that are there; delete some, or raise quota-backend-bytes`;
  if (alarm === 'CORRUPT')
    return `${name} raised CORRUPT: its content differs from the others'; replace the member with keelson node replace`;
  return `${name} raised ${alarm}`;
}
