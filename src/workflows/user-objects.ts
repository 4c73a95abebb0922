import type { KubeObject } from '../cluster/client.js';
import type { ClusterConfig } from '../config/types.js';
import { calicoObjects } from '../manifests/calico.js';
import { readObjects } from './addons/objects.js';
import type { Rendering } from './addons/rendering.js';
import { carriedBy } from './carried-manifests.js';
import { readManifests } from './manifest-sources.js';

/**
 * Objects of a network that comes from manifests; none where keelson brings its own or there is none.
 * @throws CONFIG for what can't be read or rendered, CONNECTION for what can't be fetched
 */
export async function networkObjects(config: ClusterConfig, rendering: Rendering): Promise<KubeObject[]> {
  const { network } = config.spec;
  switch (network.plugin) {
    case 'manifest':
      return readObjects(network.manifests, rendering);
    case 'calico': {
      const published = await readManifests([network.manifest], rendering.signal, carriedBy(rendering));
      return calicoObjects(published, network, config.cluster.networking.podSubnet?.split(',') ?? []);
    }
    case 'flannel':
    case 'none':
      return [];
  }
}

/**
 * Objects of spec.addons by the add-on's name.
 * @throws CONFIG for what can't be read or rendered, CONNECTION for what can't be fetched
 */
export async function addonObjects(
  { spec }: ClusterConfig,
  rendering: Rendering,
): Promise<Map<string, KubeObject[]>> {
  const read = spec.addons.map(
    async ({ name, manifests }) => [name, await readObjects(manifests, rendering)] as const,
  );
  return new Map(await Promise.all(read));
}
