import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { API_SERVER_STOPPED, DRAINED } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { MANIFESTS_DIR } from '../paths.js';

const MANIFEST = `${MANIFESTS_DIR}/kube-apiserver.yaml`;

/** A kubelet that is dead stops nothing; what it left running ends with the host's pods. */
const PATIENCE_MS = 30_000;

const RUNS = 'grep -qx kube-apiserver /proc/[0-9]*/comm 2>/dev/null';

/**
 * Clients of an API server that is told to stop go elsewhere and lose no request; without its etcd member it
 * would answer with errors until load balancers notice.
 */
export const stopApiServer = defineHostPhase({
  name: 'control-plane/stop',
  summary: 'API servers of control planes that leave, stopped before their etcd members go',
  target: 'control-planes',
  needs: [DRAINED],
  provides: [API_SERVER_STOPPED],
  observe: () => ({ stats: [MANIFEST] }),
  plan: (_context, host, seen) => {
    if ((seen.files.get(MANIFEST)?.type ?? 'missing') === 'missing')
      return { standing: 'satisfied', reasons: [], changes: [] };
    const summary = `stop the API server of ${host}`;
    return {
      standing: 'drifted',
      reasons: [summary],
      changes: [{ kind: 'action', name: 'stop', summary, disrupts: true }],
    };
  },
  actions: {
    stop: async (context, host) => {
      await host.remove([MANIFEST]);
      const gone = async () => {
        const { code } = await host.query(['sh', '-c', RUNS], { acceptCodes: 'any' });
        return { met: code !== 0, state: 'kube-apiserver still runs' };
      };
      try {
        await waitUntil(gone, {
          for: 'the API server to stop',
          deadlineMs: PATIENCE_MS,
          signal: context.signal,
        });
      } catch (error) {
        if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
        context.emit({ type: 'note', host: host.name, level: 'warning', text: error.message });
      }
    },
  },
});
