import { asControlPlane } from '../../config/inventory.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { API_SERVER_STOPPED, DRAINED } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { listens } from '../listens.js';
import { MANIFESTS_DIR } from '../paths.js';

const MANIFEST = `${MANIFESTS_DIR}/kube-apiserver.yaml`;

/** A kubelet that is dead stops nothing; what it left running ends with the host's pods. */
const PATIENCE_MS = 30_000;

/**
 * Clients of an API server that is told to stop go elsewhere and lose no request; without its etcd member it
 * would answer with errors until load balancers notice. Once it takes no more connections it is enough: until its
 * last watch ends, it may run for another half minute.
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
      try {
        await stopApiServerOf(context, host);
      } catch (error) {
        if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
        context.emit({ type: 'note', host: host.name, level: 'warning', text: error.message });
      }
    },
  },
});

/**
 * Takes the manifest of a host's API server away and waits until it takes no more connections.
 * @throws DEADLINE where something still listens
 */
async function stopApiServerOf(context: PhaseContext, host: Host): Promise<void> {
  const { bindPort } = asControlPlane(context.hostNamed(host.name)).localAPIEndpoint;
  await host.remove([MANIFEST]);
  const gone = async () => {
    const { code } = await host.query(['sh', '-c', listens(bindPort)], { acceptCodes: 'any' });
    return { met: code !== 0, state: `something still listens on port ${bindPort}` };
  };
  await waitUntil(gone, { for: 'the API server to stop', deadlineMs: PATIENCE_MS, signal: context.signal });
}
