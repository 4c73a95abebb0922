import { etcdClient } from '../../cluster/etcd.js';
import { memberAddress } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { loopbackFor } from '../../manifests/addresses.js';
import { certificatePaths } from '../../pki/table.js';
import { authorityPair } from './authority-pair.js';
import { awaitApi } from './await-api.js';
import { awaitPresented, awaitTrust } from './handshakes.js';
import { authorityFiles } from './host-files.js';
import type { RotationKind } from './kind.js';
import { hostPki, isLast, type Run } from './run.js';
import type { Step } from './state.js';

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
  refusal: ({ cluster }: ClusterConfig) =>
    cluster.etcd.local === undefined ? 'etcd does not run on the control planes' : null,
  hosts: (run) => run.planes.map(({ name }) => name),
  work: async (run, host, step) => ({
    files: await authorityFiles(run, host, 'etcd-ca', step),
    pods: step === 'trust' || isLast(step) ? [{ components: ['etcd', 'kube-apiserver'] }] : [],
    kubelet: false,
  }),
  settled,
  objects: async () => undefined,
  leftovers: () => [],
  lingerMs: 0,
};

async function settled(run: Run, host: string, step: Step): Promise<void> {
  const { context } = run.session;
  const address = memberAddress(context.hostNamed(host));
  const who = `the etcd member of ${host}`;
  const client = { who, host, endpoint: { address, port: CLIENT_PORT } };
  await awaitTrust(
    run,
    {
      ...client,
      request: async (which) => ({ path: '/version', identity: await run.stranger(which) }),
      knows: (status) => status === 200,
    },
    step,
  );
  await awaitPresented(run, client, step);
  await awaitPresented(run, { who, host, endpoint: { address, port: PEER_PORT } }, step);
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
