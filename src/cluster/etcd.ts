import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { type ClientCredentials, type Endpoint, isLost, tlsAgent } from './tls-agent.js';

/** A member of an etcd cluster. `name` is '' until the member has started for the first time. */
export interface EtcdMember {
  /** Decimal, as etcd's API carries 64-bit numbers. */
  id: string;
  name: string;
  peerURLs: readonly string[];
  clientURLs: readonly string[];
  learner: boolean;
}

/** What one member says of itself. Sizes in bytes; numbers are exact up to 2^53. */
export interface EtcdMemberStatus {
  /** Of the member that answered. */
  id: string;
  version: string;
  /** Id of the leader, as this member knows it; '' where it knows none. */
  leader: string;
  learner: boolean;
  dbSize: number;
  dbSizeInUse: number;
  /** Size at which writes are refused; null where the member does not tell (before etcd 3.6). */
  dbQuota: number | null;
  revision: number;
  raftTerm: number;
  raftIndex: number;
  raftAppliedIndex: number;
  errors: string[];
}

/** An alarm that a member raised: NOSPACE, CORRUPT. */
export interface EtcdAlarm {
  member: string;
  alarm: string;
}

export interface EtcdClient {
  /**
   * All members.
   * @param stale as this member remembers them, also while there is no leader
   */
  members: (options?: { stale?: boolean }) => Promise<EtcdMember[]>;
  /** The member that this client talks to; answers without a leader too. */
  status: () => Promise<EtcdMemberStatus>;
  alarms: () => Promise<EtcdAlarm[]>;
  /** Hands leadership to a member; only the leader itself can. */
  moveLeader: (id: string) => Promise<void>;
  /** Adds a member that copies the data before it may vote. */
  addLearner: (peerURL: string) => Promise<EtcdMember>;
  /** Makes a learner a voter; CONFLICT (retryable) while it has not caught up. */
  promote: (id: string) => Promise<void>;
  remove: (id: string) => Promise<void>;
  /** Number of keys at the newest revision; of the member itself where there is no leader. */
  count: (options?: { stale?: boolean }) => Promise<number>;
  /** Shows every key that begins with `prefix`, and its value, page by page. */
  each: (prefix: string, look: (key: string, value: Buffer) => void) => Promise<void>;
  /** Digest of all keys and values up to the newest revision of the member that this client talks to. */
  hash: () => Promise<{ hash: number; revision: number }>;
  /** Gives free pages of the database back to the filesystem; the member answers nothing meanwhile. */
  defragment: (timeoutMs: number) => Promise<void>;
  /** Takes an alarm of a member back. */
  disarm: (alarm: EtcdAlarm) => Promise<void>;
  close: () => Promise<void>;
}

interface WireMember {
  ID: string;
  name?: string;
  peerURLs?: string[];
  clientURLs?: string[];
  isLearner?: boolean;
}

/** Where a stacked member serves on its own host. */
const LOCAL: Endpoint = { address: '127.0.0.1', port: 2379 };

/** A zero byte, base64: from the first key on, and without an end. */
const ALL_KEYS = 'AA==';

/** Keys that are asked for at once, with their values. */
const PAGE = 200;

const base64 = (bytes: Buffer): string => bytes.toString('base64');

/** etcd's own default of --quota-backend-bytes. */
export const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;

/**
 * A client of the etcd member on `host`, or of the one at `endpoint` as `host` sees it, by etcd's JSON gateway
 * through the host's SSH connection.
 * Errors: CONNECTION (retryable until the host's SSH connection is lost) while nothing answers, CONFLICT for what etcd refuses for now, API otherwise.
 */
export function etcdClient(
  host: HostReader,
  credentials: ClientCredentials,
  signal: AbortSignal,
  endpoint: Endpoint = LOCAL,
): EtcdClient {
  const agent = tlsAgent(host, endpoint, credentials, 'localhost');

  const call = async (path: string, body: unknown, timeoutMs = 15_000): Promise<Record<string, unknown>> => {
    let status: number;
    let text: string;
    try {
      const response = await agent.request({
        origin: 'https://localhost',
        path: `/v3/${path}`,
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      if (signal.aborted) throw toKeelsonError(signal.reason);
      if (isLost(error)) throw error;
      const cause = error instanceof Error ? error.message : String(error);
      throw new KeelsonError('CONNECTION', `etcd does not answer: ${cause}`, {
        host: host.name,
        retryable: true,
        cause: error,
        hint: 'on the host: the log of the etcd container in /var/log/containers',
      });
    }
    if (status < 400) return JSON.parse(text) as Record<string, unknown>;
    const message = messageOf(text);
    const later =
      /not (?:in sync|healthy)|can only promote|unhealthy cluster|too many learner|timed out|leader changed|no leader/i.test(
        message,
      );
    throw new KeelsonError(later ? 'CONFLICT' : 'API', `etcd: ${message}`, {
      host: host.name,
      retryable: later,
    });
  };

  return {
    members: async ({ stale = false } = {}) =>
      membersOf(await call('cluster/member/list', { linearizable: !stale })),
    status: async () => statusOf(await call('maintenance/status', {}, 5_000)),
    alarms: async () => alarmsOf(await call('maintenance/alarm', { action: 'GET' }, 5_000)),
    moveLeader: async (id) => {
      await call('maintenance/transfer-leadership', { targetID: id });
    },
    addLearner: async (peerURL) => {
      const answer = await call('cluster/member/add', { peerURLs: [peerURL], isLearner: true });
      return memberOf(answer.member as WireMember);
    },
    promote: async (id) => {
      await call('cluster/member/promote', { ID: id });
    },
    remove: async (id) => {
      await call('cluster/member/remove', { ID: id });
    },
    count: async ({ stale = false } = {}) => {
      const answer = await call('kv/range', {
        key: ALL_KEYS,
        range_end: ALL_KEYS,
        count_only: true,
        serializable: stale,
      });
      return Number(answer.count ?? 0);
    },
    each: async (prefix, look) => {
      const end = Buffer.from(prefix);
      end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
      let from = Buffer.from(prefix);
      for (;;) {
        const request = { key: base64(from), range_end: base64(end), limit: PAGE };
        const answer = await call('kv/range', request, 60_000);
        const kvs = (answer.kvs ?? []) as { key: string; value?: string }[];
        for (const { key, value = '' } of kvs)
          look(Buffer.from(key, 'base64').toString(), Buffer.from(value, 'base64'));
        const last = kvs.at(-1);
        if (answer.more !== true || last === undefined) return;
        // The next one that there can be.
        from = Buffer.concat([Buffer.from(last.key, 'base64'), Buffer.from([0])]);
      }
    },
    hash: async () => {
      const answer = await call('maintenance/hashkv', { revision: 0 }, 60_000);
      return { hash: Number(answer.hash ?? 0), revision: Number(answer.hash_revision ?? 0) };
    },
    defragment: async (timeoutMs) => {
      await call('maintenance/defragment', {}, timeoutMs);
    },
    disarm: async ({ member, alarm }) => {
      await call('maintenance/alarm', { action: 'DEACTIVATE', memberID: member, alarm });
    },
    close: () => agent.destroy(),
  };
}

function membersOf(answer: Record<string, unknown>): EtcdMember[] {
  return ((answer.members ?? []) as WireMember[]).map(memberOf);
}

function memberOf({ ID, name, peerURLs, clientURLs, isLearner }: WireMember): EtcdMember {
  return {
    id: ID,
    name: name ?? '',
    peerURLs: peerURLs ?? [],
    clientURLs: clientURLs ?? [],
    learner: isLearner ?? false,
  };
}

/** etcd leaves zero values out, and writes 64-bit numbers as strings. */
function statusOf(answer: Record<string, unknown>): EtcdMemberStatus {
  const header = (answer.header ?? {}) as Record<string, unknown>;
  const number = (value: unknown) => Number(value ?? 0);
  return {
    id: String(header.member_id ?? ''),
    version: String(answer.version ?? ''),
    leader: answer.leader === undefined || answer.leader === '0' ? '' : String(answer.leader),
    learner: answer.isLearner === true,
    dbSize: number(answer.dbSize),
    dbSizeInUse: number(answer.dbSizeInUse),
    dbQuota: answer.dbSizeQuota === undefined ? null : number(answer.dbSizeQuota),
    revision: number(header.revision),
    raftTerm: number(answer.raftTerm),
    raftIndex: number(answer.raftIndex),
    raftAppliedIndex: number(answer.raftAppliedIndex),
    errors: ((answer.errors ?? []) as unknown[]).map(String),
  };
}

function alarmsOf(answer: Record<string, unknown>): EtcdAlarm[] {
  const alarms = (answer.alarms ?? []) as { memberID?: string; alarm?: string }[];
  return alarms.map(({ memberID, alarm }) => ({ member: memberID ?? '', alarm: alarm ?? 'NONE' }));
}

function messageOf(text: string): string {
  try {
    const body = JSON.parse(text) as { message?: string; error?: string };
    return body.message ?? body.error ?? text;
  } catch {
    return text.slice(0, 200);
  }
}
