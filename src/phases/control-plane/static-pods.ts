import type { HostPhase } from '../../engine/phase.js';
import type { ReadResult } from '../../host/types.js';
import type { EtcdMembership } from '../../manifests/static-pods/etcd.js';
import { CREDENTIALS, ETCD, STATIC_PODS } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { membershipIn } from '../etcd-manifest.js';
import { MANIFESTS_DIR } from '../paths.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';

type Particulars = Pick<HostPhase<PhaseContext>, 'name' | 'target' | 'needs' | 'provides' | 'runIf'>;

function staticPodPhase(
  component: string,
  particulars: Particulars,
  membershipOf: (seen: ReadResult) => EtcdMembership = () => ({}),
) {
  const path = `${MANIFESTS_DIR}/${component}.yaml`;
  return defineHostPhase({
    ...particulars,
    summary: `static pod manifest of ${component}`,
    group: 'static-pods',
    observe: () => ({ files: [path], ...SURROUNDINGS }),
    plan: (context, host, seen) => {
      const changes = renderedChanges(context, host, seen, [path], membershipOf(seen)).map((change) =>
        change.kind === 'file' && change.op === 'update' ? { ...change, disrupts: true } : change,
      );
      return verdictOf(changes);
    },
  });
}

const controlPlanePhase = (name: string, component: string) =>
  staticPodPhase(component, {
    name: `control-plane/${name}`,
    target: 'control-planes',
    needs: [CREDENTIALS, ETCD],
    provides: [STATIC_PODS],
  });

/** A member that once joined stays what it joined, also where it has become the one that others join. */
function membershipOnFirst(seen: ReadResult): EtcdMembership {
  const membership = membershipIn(seen);
  return membership?.initialClusterState === 'existing' ? membership : {};
}

/** kubeadm's `etcd local` and `control-plane …` phases. */
export const staticPods = [
  staticPodPhase(
    'etcd',
    {
      name: 'etcd/local',
      target: 'first-control-plane',
      needs: [CREDENTIALS],
      provides: [ETCD, STATIC_PODS],
      runIf: (context) => context.config.cluster.etcd.external === undefined,
    },
    membershipOnFirst,
  ),
  controlPlanePhase('apiserver', 'kube-apiserver'),
  controlPlanePhase('controller-manager', 'kube-controller-manager'),
  controlPlanePhase('scheduler', 'kube-scheduler'),
];
