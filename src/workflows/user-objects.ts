import type { KubeObject } from '../cluster/client.js';
import type { ClusterConfig } from '../config/types.js';
import { calicoObjects } from '../manifests/calico.js';
import { readManifests } from './manifest-sources.js';

/**
 * Objects of a network that comes from manifests; none where keelson brings its own or there is none.
 * @throws CONFIG for manifests that can't be read, CONNECTION for a URL
 */
export async function networkObjects(config: ClusterConfig, signal: AbortSignal): Promise<KubeObject[]> {
  const { network } = config.spec;
  switch (network.plugin) {
    case 'manifest':
      return readManifests(network.manifests, signal);
    case 'calico': {
      const published = await readManifests([network.manifest], signal);
      return calicoObjects(published, network, config.cluster.networking.podSubnet?.split(',') ?? []);
    }
    case 'flannel':
    case 'none':
      return [];
  }
}

/**
 * Objects of spec.addons by the add-on's name.
 * @throws CONFIG for manifests that can't be read, CONNECTION for a URL
 */
export async function addonObjects(
  { spec }: ClusterConfig,
  signal: AbortSignal,
): Promise<Map<string, KubeObject[]>> {
  const read = spec.addons.map(
    async ({ name, manifests }) => [name, await readManifests(manifests, signal)] as const,
  );
  return new Map(await Promise.all(read));
}
