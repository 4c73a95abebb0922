import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { API, NODES, SERVING_CERTIFICATES } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { uncheckedKubelets } from '../kubelet-certificates.js';
import { awaitLocalApi } from '../local-api.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { rollingActions, rollingRestart } from '../static-pod-restart.js';
import { API_SERVER_MANIFEST, checksNotYet } from '../unchecked-kubelets.js';

/** A kubelet takes up a certificate that it was given within a second or two. */
const SHOWN_MS = 60_000;

/**
 * API servers that stand check kubelets' certificates from when all kubelets show one that holds: before, those of
 * the others would lose logs, exec and port-forward.
 */
export const kubeletAuthority = defineHostPhase({
  name: 'kubelet/certificate-authority',
  summary: 'API servers check kubelets’ serving certificates, once all of them hold',
  target: 'control-planes',
  rolling: true,
  needs: [API, NODES, SERVING_CERTIFICATES],
  provides: [],
  observe: () => ({ files: [API_SERVER_MANIFEST], ...SURROUNDINGS }),
  plan: (context, host, seen) => {
    if (!checksNotYet(context.config, seen)) return verdictOf([]);
    const files = renderedChanges(context, host, seen, [API_SERVER_MANIFEST]);
    const proof = {
      kind: 'action',
      name: 'prove',
      summary: 'look that every kubelet shows a certificate of the cluster’s CA',
    } as const;
    return verdictOf([proof, ...rollingRestart('kube-apiserver', host, files, seen)]);
  },
  actions: {
    ...rollingActions('kube-apiserver', awaitLocalApi),
    prove: async (context, host) => {
      let left: string[] = [];
      try {
        await waitUntil(
          async () => {
            left = await uncheckedKubelets(context, host.name);
            return { met: left.length === 0, state: left.join('; ') };
          },
          {
            for: 'kubelets to show certificates of the cluster’s CA',
            deadlineMs: SHOWN_MS,
            intervalMs: 1000,
            signal: context.signal,
          },
        );
      } catch (cause) {
        if (!(cause instanceof KeelsonError) || cause.code !== 'DEADLINE' || left.length === 0) throw cause;
        throw new KeelsonError(
          'CONFLICT',
          `API servers go on without checking kubelets’ certificates: ${left.join('; ')}`,
          {
            cause,
            host: host.name,
            details: left,
            hint: 'mend these nodes and run apply again; or give apiServer.extraArgs kubelet-certificate-authority an empty value, which leaves kubelets unchecked',
          },
        );
      }
    },
  },
});
