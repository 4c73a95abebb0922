import { parse } from 'yaml';
import type { EtcdClient } from '../../cluster/etcd.js';
import { parseGoDuration } from '../../config/go-duration.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host, ReadResult } from '../../host/types.js';
import { type EtcdMember, etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import { CREDENTIALS, ETCD, IMAGES, KUBELET } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { MANIFESTS_DIR } from '../paths.js';
import { renderedChanges, renderedFor, SURROUNDINGS, verdictOf } from '../rendered.js';
import { firstMember } from './access.js';

const MANIFEST = `${MANIFESTS_DIR}/etcd.yaml`;

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
  observe: () => ({ files: [MANIFEST], ...SURROUNDINGS }),
  plan: (context, host, seen) => {
    const initialCluster = initialClusterOf(seen);
    if (initialCluster !== null) {
      return verdictOf(renderedChanges(context, host, seen, [MANIFEST], { initialCluster }));
    }
    return verdictOf([
      { kind: 'action', name: 'join', summary: `add ${host} to etcd as a learner, start it, promote it` },
    ]);
  },
  actions: { join: (context, host) => joinMember(context, host) },
});

/** The members that the manifest on the host names; null where there is no manifest. They stay what they were. */
function initialClusterOf(seen: ReadResult): EtcdMember[] | null {
  const text = seen.files.get(MANIFEST)?.content?.toString();
  if (text === undefined) return null;
  const pod = parse(text) as { spec?: { containers?: { command?: string[] }[] } };
  const flag = pod.spec?.containers?.[0]?.command?.find((word) => word.startsWith('--initial-cluster='));
  if (flag === undefined) return null;
  return flag
    .slice('--initial-cluster='.length)
    .split(',')
    .map((entry) => {
      const at = entry.indexOf('=');
      return { name: entry.slice(0, at), peerURL: entry.slice(at + 1) };
    });
}

async function joinMember(context: PhaseContext, host: Host): Promise<void> {
  const resolved = context.hostNamed(host.name);
  const peerURL = etcdPeerUrl(resolved);
  const client = await firstMember(context);
  try {
    const known = (await client.members()).find((member) => member.peerURLs.includes(peerURL));
    if (known !== undefined && known.name !== '') {
      throw new KeelsonError(
        'CONFLICT',
        `etcd has a member ${known.name} at ${peerURL}, but ${MANIFEST} is gone`,
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
    const seen = await host.read({ files: [MANIFEST], ...SURROUNDINGS });
    const manifest = renderedFor(context, host.name, seen, { initialCluster }).get(MANIFEST);
    if (manifest === undefined) throw new KeelsonError('BUG', 'no etcd manifest was rendered');
    await host.put([
      { path: MANIFEST, content: Buffer.from(manifest.content), mode: manifest.mode, dirMode: 0o700 },
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
