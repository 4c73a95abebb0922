import { type EtcdClient, etcdClient } from '../../cluster/etcd.js';
import { parseGoDuration } from '../../config/go-duration.js';
import { memberAddress } from '../../config/inventory.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { loopbackFor } from '../../manifests/addresses.js';
import { etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import { certificatePaths } from '../../pki/table.js';
import { CREDENTIALS, ETCD, IMAGES, KUBELET } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { renderedChanges, renderedFor, SURROUNDINGS, verdictOf } from '../rendered.js';
import { ETCD_MANIFEST, membershipOf } from './membership.js';

/** A client of the etcd member on the first control plane. */
export const firstMember = (context: PhaseContext): Promise<EtcdClient> =>
  memberOn(context, context.first.name);

/** A client of the etcd member on that host. */
export async function memberOn(context: PhaseContext, name: string): Promise<EtcdClient> {
  const { cluster } = context.config;
  const { cert, key } = certificatePaths(cluster, { baseName: 'etcd/healthcheck-client' });
  const ca = certificatePaths(cluster, { baseName: 'etcd/ca' }).cert;
  const read = async (path: string) => (await context.trust.file(name, path)).toString();
  const credentials = { ca: await read(ca), cert: await read(cert), key: await read(key) };
  const loopback = loopbackFor(memberAddress(context.hostNamed(name)));
  return etcdClient(context.reader(name), credentials, context.signal, loopback);
}

/**
 * etcd allows one learner at a time, so control planes join one after the other. What an interrupted join left
 * behind is found by its peer URL: a member that never started is taken out and added again.
 */
export const joinEtcd = defineHostPhase({
  name: 'etcd/join',
  summary: 'etcd members of further control planes, as learners first',
  target: 'joining-control-planes',
  serial: true,
  needs: [KUBELET, CREDENTIALS, IMAGES],
  provides: [ETCD],
  runIf: ({ config }) => config.cluster.etcd.external === undefined,
  observe: () => ({ files: [ETCD_MANIFEST], ...SURROUNDINGS }),
  plan: (context, host, seen) => {
    const membership = membershipOf(seen);
    if (membership !== null) {
      const { initialCluster } = membership;
      return verdictOf(renderedChanges(context, host, seen, [ETCD_MANIFEST], { initialCluster }));
    }
    return verdictOf([
      { kind: 'action', name: 'join', summary: `add ${host} to etcd as a learner, start it, promote it` },
    ]);
  },
  actions: { join: (context, host) => joinMember(context, host) },
});

/** Adds the host's member by way of the one on `through`, starts it and promotes it. */
export async function joinMember(
  context: PhaseContext,
  host: Host,
  through: string = context.first.name,
): Promise<void> {
  const resolved = context.hostNamed(host.name);
  const peerURL = etcdPeerUrl(resolved);
  const client = await memberOn(context, through);
  try {
    const known = (await client.members()).find((member) => member.peerURLs.includes(peerURL));
    if (known !== undefined && known.name !== '') {
      throw new KeelsonError(
        'CONFLICT',
        `etcd has a member ${known.name} at ${peerURL}, but ${ETCD_MANIFEST} is gone`,
        {
          host: host.name,
          hint: 'reset the host, which takes its member out, and run apply again',
        },
      );
    }
    if (known !== undefined) await client.remove(known.id);
    const added = await addWhenPossible(context, client, peerURL);
    const initialCluster = (await client.members()).map((member) => ({
      name: member.id === added ? resolved.nodeRegistration.name : member.name,
      peerURL: member.peerURLs[0] ?? '',
    }));
    const seen = await host.read({ files: [ETCD_MANIFEST], ...SURROUNDINGS });
    const manifest = renderedFor(context, host.name, seen, { initialCluster }).get(ETCD_MANIFEST);
    if (manifest === undefined) throw new KeelsonError('BUG', 'no etcd manifest was rendered');
    await host.put([
      { path: ETCD_MANIFEST, content: Buffer.from(manifest.content), mode: manifest.mode, dirMode: 0o700 },
    ]);
    await promoteWhenReady(context, client, added, host.name);
  } finally {
    await client.close();
  }
}

async function addWhenPossible(context: PhaseContext, client: EtcdClient, peerURL: string): Promise<string> {
  let id = '';
  await waitUntil(
    async () => {
      id = (await client.addLearner(peerURL)).id;
      return { met: true, state: '' };
    },
    {
      for: 'etcd to accept a learner',
      deadlineMs: 60_000,
      intervalMs: 200,
      signal: context.signal,
      hint: 'every member has to be healthy before another is added',
    },
  );
  return id;
}

/** Promotes a learner as soon as it has caught up. */
export async function promoteWhenReady(
  context: PhaseContext,
  client: EtcdClient,
  id: string,
  host: string,
): Promise<void> {
  const limit = parseGoDuration(context.config.joinTimeouts.etcdAPICall);
  await waitUntil(
    async () => {
      const member = (await client.members()).find((candidate) => candidate.id === id);
      if (member === undefined)
        throw new KeelsonError('CONFLICT', `the learner ${id} was taken out by someone else`);
      if (!member.learner) return { met: true, state: '' };
      await client.promote(id);
      return { met: true, state: '' };
    },
    {
      for: `the etcd learner of ${host} to catch up`,
      deadlineMs: 'ms' in limit ? limit.ms : 120_000,
      intervalMs: 100,
      signal: context.signal,
      hint: `on ${host}: the log of the etcd container in /var/log/containers`,
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'etcd/join', host, for: 'the learner to catch up', last }),
    },
  );
}
