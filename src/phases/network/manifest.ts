import { ADDONS, API, NETWORK_APPLIED } from '../artefacts.js';
import { defineClusterPhase } from '../context.js';
import { objectSetVerdict } from '../object-set.js';

/** Plugins whose objects come from manifests; a set in the cluster has the plugin's name. */
export const MANIFEST_PLUGINS = ['calico', 'manifest'] as const;

export const networkSet = (plugin: (typeof MANIFEST_PLUGINS)[number]): string => `network-${plugin}`;

export const networkManifests = defineClusterPhase({
  name: 'network/manifest',
  summary: 'the pod network, from manifests: Calico’s, or yours',
  target: 'cluster',
  needs: [API],
  provides: [ADDONS, NETWORK_APPLIED],
  runIf: ({ config }) => MANIFEST_PLUGINS.some((plugin) => plugin === config.spec.network.plugin),
  check: async (context) => {
    const { plugin } = context.config.spec.network;
    const set = networkSet(plugin === 'calico' ? 'calico' : 'manifest');
    return objectSetVerdict(context, { name: set, objects: await context.networkObjects() });
  },
});
