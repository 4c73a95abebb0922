import type { ClusterClient } from '../../cluster/client.js';
import { SATISFIED } from '../../engine/phase.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { FLANNEL_DAEMON_SET, FLANNEL_NAMESPACE } from '../../manifests/flannel.js';
import { API } from '../artefacts.js';
import { defineClusterPhase } from '../context.js';
import { inventoryRef } from '../object-record.js';
import { MANIFEST_PLUGINS, networkSet } from './manifest.js';

type Installed = 'flannel' | 'calico' | 'manifest';

/** The plugin that keelson itself put into the cluster; null for none. */
async function installed(client: ClusterClient): Promise<Installed | null> {
  const [flannel, ...inventories] = await Promise.all([
    client.get({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      namespace: FLANNEL_NAMESPACE,
      name: FLANNEL_DAEMON_SET,
    }),
    ...MANIFEST_PLUGINS.map((plugin) => client.get(inventoryRef(networkSet(plugin)))),
  ]);
  const found = MANIFEST_PLUGINS.find((_, index) => (inventories[index] ?? null) !== null);
  if (found !== undefined) return found;
  const managers = (flannel?.metadata.managedFields ?? []) as { manager?: string }[];
  return managers.some(({ manager }) => manager === 'keelson') ? 'flannel' : null;
}

const NAMES = { flannel: 'flannel', calico: 'Calico', manifest: 'one of manifests' } as const;

/** Two networks at once would fight for every pod, so that one plugin does not just follow another. */
export const networkPlugin = defineClusterPhase({
  name: 'network/plugin',
  summary: 'the cluster has the network plugin of the file, or none yet',
  target: 'cluster',
  needs: [API],
  provides: [],
  check: async ({ api, config }) => {
    const client = api();
    if (client === null) return SATISFIED;
    const { plugin } = config.spec.network;
    try {
      const found = await installed(client);
      if (found === null || found === plugin) return SATISFIED;
      const reason = `the cluster's network is ${NAMES[found]}, the file says ${plugin}: keelson does not replace one plugin by another on a running cluster. Set plugin: ${found}, or make a new cluster`;
      return { standing: 'blocked', reasons: [reason], changes: [] };
    } catch (error) {
      // Before the first start there is nothing that could answer.
      if (error instanceof KeelsonError && error.code === 'CONNECTION') return SATISFIED;
      throw error;
    }
  },
});
