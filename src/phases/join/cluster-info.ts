import type { KubeObject } from '../../cluster/client.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { clusterInfoConfigMap } from '../../join/cluster-info.js';
import { outsideUrl } from '../../manifests/addresses.js';
import { API, ENDPOINT } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { objectsVerdict } from '../objects-phase.js';

const object = (context: PhaseContext, ca: string) =>
  clusterInfoConfigMap({ server: outsideUrl(context.config), caPem: ca }) as unknown as KubeObject;

/** The controller manager signs the ConfigMap, one key a token; those keys are not keelson's. */
export const clusterInfo = defineClusterPhase({
  name: 'bootstrap-token/cluster-info',
  summary: 'ConfigMap cluster-info, from which a joining node learns address and CA',
  target: 'cluster',
  needs: [API, ENDPOINT],
  provides: [],
  check: async (context) => {
    const ca = context.trust.caCertificate();
    if (ca !== null) {
      const verdict = await objectsVerdict(context, [object(context, ca)]);
      if (verdict.changes.length === 0) return verdict;
      return { ...verdict, changes: [publish(verdict.reasons.join('; '))] };
    }
    return { standing: 'missing', reasons: ['there is no cluster CA yet'], changes: [publish('')] };
  },
  actions: {
    publish: async (context) => {
      const client = context.api();
      if (client === null) throw new KeelsonError('BUG', 'there is no API to publish to');
      await client.apply(object(context, await context.trust.ensureCa()));
    },
  },
});

function publish(why: string) {
  const because = why === '' ? '' : ` (${why})`;
  return {
    kind: 'action',
    name: 'publish',
    summary: `publish ConfigMap kube-public/cluster-info${because}`,
  } as const;
}
