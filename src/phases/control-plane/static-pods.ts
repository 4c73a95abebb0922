import type { HostPhase } from '../../engine/phase.js';
import { CREDENTIALS, ETCD, ETCD_CLUSTER, STATIC_PODS } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { MANIFESTS_DIR } from '../paths.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';

type Particulars = Pick<HostPhase<PhaseContext>, 'name' | 'target' | 'needs' | 'provides' | 'runIf'>;

function staticPodPhase(component: string, particulars: Particulars) {
  const path = `${MANIFESTS_DIR}/${component}.yaml`;
  return defineHostPhase({
    ...particulars,
    summary: `static pod manifest of ${component}`,
    group: 'static-pods',
    observe: () => ({ files: [path], ...SURROUNDINGS }),
    plan: (context, host, seen) => {
      const changes = renderedChanges(context, host, seen, [path]).map((change) =>
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
    needs: [CREDENTIALS, ETCD, ETCD_CLUSTER],
    provides: [STATIC_PODS],
  });

/** kubeadm's `etcd local` and `control-plane …` phases. */
export const staticPods = [
  staticPodPhase('etcd', {
    name: 'etcd/local',
    target: 'first-control-plane',
    needs: [CREDENTIALS],
    provides: [ETCD, STATIC_PODS],
    runIf: (context) => context.config.cluster.etcd.external === undefined,
  }),
  controlPlanePhase('apiserver', 'kube-apiserver'),
  controlPlanePhase('controller-manager', 'kube-controller-manager'),
  controlPlanePhase('scheduler', 'kube-scheduler'),
];
