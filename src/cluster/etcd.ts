import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { type ClientCredentials, tlsAgent } from './tls-agent.js';

/** A member of an etcd cluster. `name` is '' until the member has started for the first time. */
export interface EtcdMember {
  /** Decimal, as etcd's API carries 64-bit numbers. */
  id: string;
  name: string;
  peerURLs: readonly string[];
  clientURLs: readonly string[];
  learner: boolean;
}

export interface EtcdClient {
  members: () => Promise<EtcdMember[]>;
  /** Adds a member that copies the data before it may vote. */
  addLearner: (peerURL: string) => Promise<EtcdMember>;
  /** Makes a learner a voter; CONFLICT (retryable) while it has not caught up. */
  promote: (id: string) => Promise<void>;
  remove: (id: string) => Promise<void>;
  close: () => Promise<void>;
}

interface WireMember {
  ID: string;
  name?: string;
  peerURLs?: string[];
  clientURLs?: string[];
  isLearner?: boolean;
}

const CLIENT_PORT = 2379;

/**
 * A client of the etcd member on `host` at its loopback `address`, by etcd's JSON gateway through the host's SSH connection.
 * Errors: CONNECTION (retryable) while nothing answers, CONFLICT for what etcd refuses for now, API otherwise.
 */
export function etcdClient(
  host: HostReader,
  credentials: ClientCredentials,
  signal: AbortSignal,
  address = '127.0.0.1',
): EtcdClient {
  const agent = tlsAgent(host, { address, port: CLIENT_PORT }, credentials, 'localhost');

  const call = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    let status: number;
    let text: string;
    try {
      const response = await agent.request({
        origin: 'https://localhost',
        path: `/v3/${path}`,
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      if (signal.aborted) throw toKeelsonError(signal.reason);
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
      /not (?:in sync|healthy)|can only promote|unhealthy cluster|too many learner|timed out/i.test(message);
    throw new KeelsonError(later ? 'CONFLICT' : 'API', `etcd: ${message}`, {
      host: host.name,
      retryable: later,
    });
  };

  return {
    members: async () => membersOf(await call('cluster/member/list', { linearizable: true })),
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

function messageOf(text: string): string {
  try {
    const body = JSON.parse(text) as { message?: string; error?: string };
    return body.message ?? body.error ?? text;
  } catch {
    return text.slice(0, 200);
  }
}
