import { CREDENTIALS, STATIC_PODS } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { MANIFESTS_DIR } from '../paths.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';

function staticPodPhase(name: string, component: string, runIf?: (context: PhaseContext) => boolean) {
  const path = `${MANIFESTS_DIR}/${component}.yaml`;
  return defineHostPhase({
    name,
    summary: `static pod manifest of ${component}`,
    target: 'control-planes',
    needs: [CREDENTIALS],
    provides: [STATIC_PODS],
    ...(runIf === undefined ? {} : { runIf }),
    observe: () => ({ files: [path], ...SURROUNDINGS }),
    plan: (context, host, seen) => {
      const changes = renderedChanges(context, host, seen, [path]).map((change) =>
        change.kind === 'file' && change.op === 'update' ? { ...change, disrupts: true } : change,
      );
      return verdictOf(changes);
    },
  });
}

/** kubeadm's `etcd local` and `control-plane …` phases. */
export const staticPods = [
  staticPodPhase('etcd/local', 'etcd', (context) => context.config.cluster.etcd.external === undefined),
  staticPodPhase('control-plane/apiserver', 'kube-apiserver'),
  staticPodPhase('control-plane/controller-manager', 'kube-controller-manager'),
  staticPodPhase('control-plane/scheduler', 'kube-scheduler'),
];
