import type { HostPhase, Verdict } from '../../engine/phase.js';
import type { Host, ReadResult } from '../../host/types.js';
import type { EtcdMembership } from '../../manifests/static-pods/etcd.js';
import {
  API,
  API_PODS,
  CONTROLLER_IMAGES,
  CONTROLLER_PODS,
  CREDENTIALS,
  ETCD,
  ETCD_CLUSTER,
} from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { membershipIn } from '../etcd-manifest.js';
import { awaitMembers } from '../etcd-serving.js';
import { awaitLocalApi } from '../local-api.js';
import { ASIDE_DIR, MANIFESTS_DIR } from '../paths.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { exists } from '../seen.js';
import { rollingActions, rollingRestart } from '../static-pod-restart.js';
import { checksNotYet, notChecking } from '../unchecked-kubelets.js';

/** Manifests were moved aside and not back: written anew, they would start an etcd without its data. */
function interrupted(host: string): Verdict {
  const reason = `bringing etcd back was interrupted on ${host}: run keelson etcd restore or recover again (where it was ended by hand, remove ${ASIDE_DIR})`;
  return { standing: 'blocked', reasons: [reason], changes: [] };
}

type Particulars = Pick<
  HostPhase<PhaseContext>,
  'name' | 'target' | 'needs' | 'provides' | 'runIf' | 'group'
> & {
  /** Resolves once the component serves on a host again; before that no other host's stops. */
  serves: (context: PhaseContext, host: Host) => Promise<void>;
};

/** An API server that does not check kubelets yet is told to when they are ready for it (kubelet/certificate-authority). */
const wantedOf = (context: PhaseContext, seen: ReadResult): PhaseContext =>
  checksNotYet(context.config, seen) ? notChecking(context) : context;

function staticPodPhase(
  component: string,
  { serves, ...particulars }: Particulars,
  membershipOf: (seen: ReadResult) => EtcdMembership = () => ({}),
) {
  const path = `${MANIFESTS_DIR}/${component}.yaml`;
  return defineHostPhase({
    ...particulars,
    rolling: true,
    summary: `static pod manifest of ${component}`,
    observe: () => ({ files: [path], ...SURROUNDINGS, stats: [...SURROUNDINGS.stats, ASIDE_DIR] }),
    plan: (context, host, seen) => {
      if (exists(seen, ASIDE_DIR)) return interrupted(host);
      const changes = renderedChanges(wantedOf(context, seen), host, seen, [path], membershipOf(seen));
      return verdictOf(rollingRestart(component, host, changes, seen));
    },
    actions: rollingActions(component, serves),
  });
}

/** A member that once joined stays what it joined, also where it has become the one that others join. */
function membershipOnFirst(seen: ReadResult): EtcdMembership {
  const membership = membershipIn(seen);
  return membership?.initialClusterState === 'existing' ? membership : {};
}

/** kubeadm's `etcd local` and `control-plane apiserver` phases: what an API needs. */
export const apiPods = [
  staticPodPhase(
    'etcd',
    {
      name: 'etcd/local',
      target: 'first-control-plane',
      group: 'api-pods',
      needs: [CREDENTIALS],
      provides: [ETCD, API_PODS],
      runIf: (context) => context.config.cluster.etcd.external === undefined,
      serves: (context, host) => awaitMembers(context, [host.name]),
    },
    membershipOnFirst,
  ),
  staticPodPhase('kube-apiserver', {
    name: 'control-plane/apiserver',
    target: 'control-planes',
    group: 'api-pods',
    needs: [CREDENTIALS, ETCD, ETCD_CLUSTER],
    provides: [API_PODS],
    serves: awaitLocalApi,
  }),
];

/**
 * kubeadm's other `control-plane` phases. These pods come when the API answers: before, they would take
 * processors from its start, be refused, and try again seconds later.
 */
export const controllerPods = ['controller-manager', 'scheduler'].map((name) =>
  staticPodPhase(`kube-${name}`, {
    name: `control-plane/${name}`,
    target: 'control-planes',
    group: 'controller-pods',
    needs: [CREDENTIALS, CONTROLLER_IMAGES, API, ETCD],
    provides: [CONTROLLER_PODS],
    // Whoever leads hands over by its lease.
    serves: async () => undefined,
  }),
);
