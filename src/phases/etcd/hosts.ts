import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { type EtcdMembership, etcdPeerUrl, firstMembers } from '../../manifests/static-pods/etcd.js';
import { CREDENTIALS, ETCD_CLUSTER, ETCD_MEMBER, IMAGES, KUBELET } from '../artefacts.js';
import { defineClusterPhase, defineHostPhase, type PhaseContext } from '../context.js';
import { ETCD_MANIFEST, membershipIn } from '../etcd-manifest.js';
import { awaitMembers, unanswered } from '../etcd-serving.js';
import { renderedChanges, renderedFor, SURROUNDINGS, verdictOf } from '../rendered.js';
import { rollingActions, rollingRestart } from '../static-pod-restart.js';
import { joinMember } from './join-member.js';

const membersOf = ({ inventory }: PhaseContext): string[] =>
  inventory.filter((host) => host.role === 'etcd').map((host) => host.name);

/**
 * Whether a host's member is one of a new cluster or joins as a learner is found out when it is started, from
 * what the other hosts have by then. So is what an interrupted run left.
 */
export const startMember = defineHostPhase({
  name: 'etcd/member',
  summary: 'etcd members on hosts of role etcd: all of a new cluster, a further one as a learner first',
  target: 'etcd-hosts',
  serial: true,
  rolling: true,
  needs: [KUBELET, CREDENTIALS, IMAGES],
  provides: [ETCD_MEMBER],
  observe: () => ({ files: [ETCD_MANIFEST], ...SURROUNDINGS }),
  plan: (context, host, seen) => {
    const membership = membershipIn(seen);
    if (membership === null)
      return verdictOf([{ kind: 'action', name: 'start', summary: `start the etcd member of ${host}` }]);
    const changes = renderedChanges(context, host, seen, [ETCD_MANIFEST], membership);
    return verdictOf(rollingRestart('etcd', host, changes, seen));
  },
  actions: {
    start: (context, host) => start(context, host),
    ...rollingActions('etcd', (context, host) => awaitMembers(context, [host.name])),
  },
});

async function start(context: PhaseContext, host: Host): Promise<void> {
  const own = context.hostNamed(host.name);
  const peerURL = etcdPeerUrl(own);
  const others = membersOf(context).filter((name) => name !== host.name);
  const found = await Promise.all(
    others.map(async (name) => ({
      name,
      membership: membershipIn(await context.reader(name).read({ files: [ETCD_MANIFEST] })),
    })),
  );
  const started = found.filter(({ membership }) => membership !== null);
  // Where an API server was, a member without data must not pass for one that never started.
  if (!context.established) {
    const begun = started.find(({ membership }) =>
      membership?.initialCluster.some((member) => member.peerURL === peerURL),
    );
    if (begun !== undefined || started.length === 0) {
      const initialCluster = begun?.membership?.initialCluster ?? firstMembers(context.config, own);
      return putManifest(context, host, { initialCluster, initialClusterState: 'new' });
    }
  }
  const [through] = started;
  if (through === undefined) {
    throw new KeelsonError(
      'CONFLICT',
      `${context.first.name} has an API server, but no host has an etcd member`,
      {
        host: host.name,
        hint: 'bring its data back from a snapshot; to begin anew: keelson reset, then keelson apply',
      },
    );
  }
  return joinMember(context, host, through.name);
}

/** Writes the manifest of a host's member. */
export async function putManifest(
  context: PhaseContext,
  host: Host,
  membership: EtcdMembership,
): Promise<void> {
  const seen = await host.read(SURROUNDINGS);
  const manifest = renderedFor(context, host.name, seen, membership).get(ETCD_MANIFEST);
  if (manifest === undefined) throw new KeelsonError('BUG', 'no etcd manifest was rendered');
  const content = Buffer.from(manifest.content);
  await host.put([{ path: ETCD_MANIFEST, content, mode: manifest.mode, dirMode: 0o700 }]);
}

/** Why the host's member does not serve; null when it does. Issues no certificate. */
async function silence(context: PhaseContext, name: string): Promise<string | null> {
  const entry = context.trust.entries(name).find((candidate) => candidate.name === 'etcd-healthcheck-client');
  if (entry?.standing !== 'ok') return `${name} has no certificates yet`;
  return unanswered(context, name);
}

export const waitEtcd = defineClusterPhase({
  name: 'etcd/wait',
  summary: 'every etcd member on a host of role etcd has a leader',
  target: 'cluster',
  needs: [ETCD_MEMBER],
  provides: [ETCD_CLUSTER],
  runIf: (context) => membersOf(context).length > 0,
  check: async (context) => {
    const answers = await Promise.all(membersOf(context).map((name) => silence(context, name)));
    const reasons = answers.filter((answer) => answer !== null);
    if (reasons.length === 0) return { standing: 'satisfied', reasons, changes: [] };
    const summary = 'wait until every etcd member has a leader';
    return { standing: 'missing', reasons, changes: [{ kind: 'action', name: 'wait', summary }] };
  },
  actions: { wait: (context) => awaitMembers(context, membersOf(context)) },
});
