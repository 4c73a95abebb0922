import type { EtcdMember } from '../../cluster/etcd.js';
import type { Verdict } from '../../engine/phase.js';
import type { ActionChange } from '../../engine/types.js';
import { etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import { CREDENTIALS, ETCD, IMAGES, KUBELET } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { ETCD_MANIFEST, membershipIn } from '../etcd-manifest.js';
import { awaitMembers } from '../etcd-serving.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { rollingActions, rollingRestart } from '../static-pod-restart.js';
import { joinMember } from './join-member.js';
import { refreshMembers } from './members.js';
import { promoteMember } from './promote.js';

/**
 * etcd allows one learner at a time, so control planes join one after the other. What an interrupted join left
 * behind is found by its peer URL, and the next run goes on with it.
 */
export const joinEtcd = defineHostPhase({
  name: 'etcd/join',
  summary: 'etcd members of further control planes, as learners first',
  target: 'joining-control-planes',
  serial: true,
  rolling: true,
  needs: [KUBELET, CREDENTIALS, IMAGES],
  provides: [ETCD],
  runIf: ({ config }) => config.cluster.etcd.external === undefined,
  observe: () => ({ files: [ETCD_MANIFEST], ...SURROUNDINGS }),
  consult: refreshMembers,
  plan: (context, host, seen): Verdict => {
    const membership = membershipIn(seen);
    const members = context.members.known();
    const own = members?.find((member) => isOf(member, context, host));
    // Where etcd does not answer, the manifest is taken at its word.
    const member = members === null || own !== undefined;
    if (membership === null || !member) return verdictOf([join(host, own, membership !== null)]);
    const changes = rollingRestart(
      'etcd',
      host,
      renderedChanges(context, host, seen, [ETCD_MANIFEST], membership),
      seen,
    );
    return verdictOf(own?.learner === true ? [...changes, promote(host)] : changes);
  },
  actions: {
    join: (context, host) => joinMember(context, host),
    promote: promoteMember,
    ...rollingActions('etcd', (context, host) => awaitMembers(context, [host.name])),
  },
});

/** Whether a member is that of a host: by its peer URL, or, where the host was readdressed, by its name. */
function isOf(member: EtcdMember, context: PhaseContext, host: string): boolean {
  const resolved = context.hostNamed(host);
  return member.peerURLs.includes(etcdPeerUrl(resolved)) || member.name === resolved.nodeRegistration.name;
}

function join(host: string, own: EtcdMember | undefined, manifest: boolean): ActionChange {
  const steps = 'start it as a learner, promote it';
  if (manifest) {
    const summary = `${host} is no member of etcd any more: set its data aside, add it again, ${steps}`;
    return { kind: 'action', name: 'join', summary, disrupts: true };
  }
  const summary =
    own === undefined
      ? `add ${host} to etcd, ${steps}`
      : `go on with etcd's member of ${host} that has no manifest: ${steps}`;
  return { kind: 'action', name: 'join', summary };
}

function promote(host: string): ActionChange {
  return { kind: 'action', name: 'promote', summary: `promote the etcd learner of ${host}` };
}
