import { etcdClient } from '../../cluster/etcd.js';
import { memberAddress } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { loopbackFor } from '../../manifests/addresses.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { stopApiServerOf } from '../../phases/control-plane/stop.js';
import { certificatePaths } from '../../pki/table.js';
import { authorityPair } from './authority-pair.js';
import { awaitApi } from './await-api.js';
import { awaitPresented, awaitTrust } from './handshakes.js';
import { authorityFiles } from './host-files.js';
import type { RotationKind } from './kind.js';
import { awaitPods, manifests } from './pods.js';
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
  lingerMs: 0,
};

const COMPONENTS = ['etcd', 'kube-apiserver'];

/**
 * The API server goes first and comes last. Without its member it would answer late or not at all, and a kubelet
 * that waits for such an answer starts nothing; one that is refused does.
 */
async function restartMember(run: Run, hostName: string, step: Step, mark: string | null): Promise<void> {
  const { context, effects } = run.session;
  const host = effects.host(hostName);
  const [member, apiServer] = await manifests(run, hostName, { components: COMPONENTS, mark });
  if (member === undefined || apiServer === undefined)
    throw new KeelsonError('BUG', 'two manifests are two files', { host: hostName });
  await stopApiServerOf(context, host);
  await host.put([member]);
  await host.service('restart', KUBELET_UNIT);
  await awaitMember(run, hostName, step);
  await host.put([apiServer]);
  await awaitPods(run, hostName, { components: COMPONENTS, mark });
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

/** The next member is not touched before all of them vote and know one leader. */
async function awaitMembers(run: Run, host: string): Promise<void> {
  const { context, effects } = run.session;
  const { cluster } = context.config;
  const files = await hostPki(run.session, host);
  const text = (path: string) => files.get(path)?.toString() ?? '';
  const { cert, key } = certificatePaths(cluster, { baseName: 'etcd/healthcheck-client' });
  const ca = text(certificatePaths(cluster, { baseName: 'etcd/ca' }).cert);
  const credentials = { ca, cert: text(cert), key: text(key) };
  await waitUntil(
    async () => {
      const leaders = await Promise.all(
        run.planes.map(async (plane) => {
          const endpoint = {
            address: plane.name === host ? loopbackFor(memberAddress(plane)) : memberAddress(plane),
            port: CLIENT_PORT,
          };
          const client = etcdClient(effects.host(host), credentials, context.signal, endpoint);
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
