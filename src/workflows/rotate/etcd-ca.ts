import { type EtcdClient, etcdClient } from '../../cluster/etcd.js';
import type { ClientCredentials } from '../../cluster/tls-agent.js';
import { memberAddress } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import { loopbackFor } from '../../manifests/addresses.js';
import { certificatePaths } from '../../pki/table.js';
import { authorityPair } from './authority-pair.js';
import { awaitApi } from './await-api.js';
import { awaitPresented, awaitTrust } from './handshakes.js';
import { authorityFiles } from './host-files.js';
import type { RotationKind } from './kind.js';
import { restartPods } from './pods.js';
import { hostPki, isLast, type Run } from './run.js';
import type { Step } from './state.js';
import type { Pairs } from './store.js';

const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
const MEMBERS_MS = 240_000;

/**
 * etcd and API servers read the CA when they start, and their own certificates at every handshake: they are
 * restarted when trust changes, control plane after control plane.
 */
export const etcdCa: RotationKind = {
  name: 'etcd-ca',
  title: 'the etcd CA',
  does: {
    trust:
      'etcd/ca.crt holds the old and the new CA; etcd members and API servers are restarted, control plane after control plane',
    issue: 'members and API servers get certificates of the new CA',
    verify: 'every file and every member is looked at: nothing may be of the old CA alone',
    drop: 'the old CA is taken away, members and API servers are restarted once more, and its key is removed; there is no way back from here',
    reissue: 'members and API servers get certificates of the old CA again',
    distrust:
      'the new CA is taken away, members and API servers are restarted once more, and its key is removed',
  },
  consequences: [
    'with a single control plane the API is away while etcd and the API server restart, twice',
    'who else talks to etcd (monitoring, backups) needs a certificate of the new CA from drop on',
  ],
  ...authorityPair('etcd-ca'),
  surveyed: true,
  refusal: ({ cluster }: ClusterConfig) =>
    cluster.etcd.local === undefined ? 'etcd does not run on the control planes' : null,
  hosts: (run) => run.planes.map(({ name }) => name),
  work: async (run, host, step) => ({
    files: await authorityFiles(run, host, 'etcd-ca', step),
    pods: [],
    kubelet: false,
    ...(step === 'trust' || isLast(step)
      ? { restart: (mark: string | null) => restartMember(run, host, step, mark) }
      : {}),
  }),
  settled,
  objects: async () => undefined,
  leftovers: () => [],
};

/**
 * The API server goes first and comes last. Without its member it would answer late or not at all, and a kubelet
 * that waits for such an answer starts nothing; one that is refused does.
 */
function restartMember(run: Run, host: string, step: Step, mark: string | null): Promise<void> {
  const components = ['etcd', 'kube-apiserver'] as const;
  return restartPods(
    run,
    host,
    { components, mark },
    { leadElsewhere: () => leadElsewhere(run, host), serves: () => awaitMember(run, host, step) },
  );
}

async function awaitMember(run: Run, host: string, step: Step): Promise<void> {
  const address = memberAddress(run.session.context.hostNamed(host));
  const door = {
    who: `the etcd member of ${host}`,
    host,
    endpoint: { address, port: CLIENT_PORT },
    request: async (which: keyof Pairs) => ({ path: '/version', identity: await run.stranger(which) }),
    knows: (status: number | null) => status === 200,
  };
  await awaitTrust(run, door, step);
  await awaitPresented(run, door, step);
  await awaitPresented(run, { ...door, endpoint: { address, port: PEER_PORT } }, step);
}

async function settled(run: Run, host: string, step: Step): Promise<void> {
  await awaitMember(run, host, step);
  await awaitMembers(run, host);
  await awaitApi(
    run,
    async () => {
      const plane = run.planes.find(({ name }) => name === host);
      const { status } = await (await run.api(plane)).request('GET', '/readyz', { timeoutMs: 5000 });
      return { met: status === 200, state: `it answers ${status}` };
    },
    { host, for: `the API server of ${host}`, deadlineMs: MEMBERS_MS },
  );
}

/** A leader that hands over before it stops costs the others no election. Where that fails, an election does it. */
async function leadElsewhere(run: Run, host: string): Promise<void> {
  const credentials = await etcdIdentity(run, host);
  const client = memberClient(run, host, credentials, host);
  try {
    const [status, members] = await Promise.all([client.status(), client.members()]);
    const heir = members.find(({ id, learner }) => !learner && id !== status.id);
    if (status.leader === status.id && heir !== undefined) await client.moveLeader(heir.id);
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    if (error.code === 'ABORTED') throw error;
  } finally {
    await client.close();
  }
}

/** The identity by which keelson talks to etcd, as it lies on a control plane now. */
async function etcdIdentity(run: Run, host: string): Promise<ClientCredentials> {
  const { cluster } = run.session.context.config;
  const files = await hostPki(run.session, host);
  const text = (path: string) => files.get(path)?.toString() ?? '';
  const { cert, key } = certificatePaths(cluster, { baseName: 'etcd/healthcheck-client' });
  const ca = text(certificatePaths(cluster, { baseName: 'etcd/ca' }).cert);
  return { ca, cert: text(cert), key: text(key) };
}

/** A client of the member of control plane `of`, as `host` sees it. */
function memberClient(run: Run, host: string, credentials: ClientCredentials, of: string): EtcdClient {
  const { context, effects } = run.session;
  const address = memberAddress(context.hostNamed(of));
  const endpoint = { address: of === host ? loopbackFor(address) : address, port: CLIENT_PORT };
  return etcdClient(effects.host(host), credentials, context.signal, endpoint);
}

/** The next member is not touched before all of them vote and know one leader. */
async function awaitMembers(run: Run, host: string): Promise<void> {
  const { context } = run.session;
  const credentials = await etcdIdentity(run, host);
  await waitUntil(
    async () => {
      const leaders = await Promise.all(
        run.planes.map(async (plane) => {
          const client = memberClient(run, host, credentials, plane.name);
          try {
            return (await client.status()).leader;
          } finally {
            await client.close();
          }
        }),
      );
      const [first = ''] = leaders;
      const agreed = first !== '' && leaders.every((leader) => leader === first);
      return { met: agreed, state: 'members do not agree on a leader' };
    },
    { for: 'all etcd members to answer', deadlineMs: MEMBERS_MS, intervalMs: 500, signal: context.signal },
  );
}
