import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { API, CONTROLLERS } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { withHostEvidence } from '../evidence.js';

/** The controller manager publishes the CA in every namespace once its controllers run. */
const PUBLISHED = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'kube-root-ca.crt' };

async function controllersWork(context: PhaseContext): Promise<boolean> {
  const client = context.api();
  if (client === null) return false;
  try {
    return (await client.get(PUBLISHED)) !== null;
  } catch (error) {
    if (error instanceof KeelsonError && error.retryable) return false;
    throw error;
  }
}

/**
 * A kubelet whose certificate is not signed within seconds backs off for up to twenty, so no kubelet is
 * started for TLS bootstrap before somebody signs.
 */
export const waitControllers = defineClusterPhase({
  name: 'wait-controllers',
  summary: 'the controller manager is at work',
  target: 'cluster',
  needs: [API],
  provides: [CONTROLLERS],
  check: async (context) => {
    if (await controllersWork(context)) return { standing: 'satisfied', reasons: [], changes: [] };
    return {
      standing: 'missing',
      reasons: ['the controller manager does not work yet'],
      changes: [{ kind: 'action', name: 'wait', summary: 'wait until the controller manager is at work' }],
    };
  },
  actions: {
    wait: async (context) => {
      try {
        await waitUntil(async () => ({ met: await controllersWork(context), state: 'no CA published yet' }), {
          for: 'the controller manager',
          deadlineMs: 120_000,
          intervalMs: 50,
          signal: context.signal,
          hint: 'on the first control plane: the log of kube-controller-manager in /var/log/containers',
        });
      } catch (error) {
        throw await withHostEvidence(error, context.reader(context.first.name));
      }
    },
  },
});
