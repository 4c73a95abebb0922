import { readinessOf } from '../../cluster/client.js';
import { parseGoDuration } from '../../config/go-duration.js';
import { waitUntil } from '../../engine/wait.js';
import { API, FIRST_KUBELET } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { withHostEvidence } from '../evidence.js';

/** "ok", or why the API server is not ready. */
export async function apiReadiness(context: PhaseContext): Promise<string> {
  const client = context.api();
  if (client === null) return 'there are no admin credentials yet';
  try {
    await client.request('GET', '/readyz', { timeoutMs: 5_000 });
    return 'ok';
  } catch (error) {
    return readinessOf(error);
  }
}

export const waitControlPlane = defineClusterPhase({
  name: 'wait-control-plane',
  summary: 'the API server answers /readyz',
  target: 'cluster',
  awaits: true,
  needs: [FIRST_KUBELET],
  provides: [API],
  check: async (context) => {
    const state = await apiReadiness(context);
    if (state === 'ok') return { standing: 'satisfied', reasons: [], changes: [] };
    return {
      standing: 'missing',
      reasons: [state],
      changes: [{ kind: 'action', name: 'wait', summary: 'wait until the API server is ready' }],
    };
  },
  actions: {
    wait: async (context) => {
      const limit = parseGoDuration(context.config.init.timeouts.controlPlaneComponentHealthCheck);
      try {
        await waitUntil(
          async () => {
            const state = await apiReadiness(context);
            return { met: state === 'ok', state };
          },
          {
            for: 'the API server',
            deadlineMs: 'ms' in limit ? limit.ms : 240_000,
            intervalMs: 100,
            signal: context.signal,
            hint: 'on the first control plane: journalctl -u kubelet, and the logs in /var/log/containers',
            onState: (last) =>
              context.emit({
                type: 'waiting',
                phase: 'wait-control-plane',
                host: '',
                for: 'the API server',
                last,
              }),
          },
        );
      } catch (error) {
        throw await withHostEvidence(error, context.reader(context.first.name));
      }
    },
  },
});
