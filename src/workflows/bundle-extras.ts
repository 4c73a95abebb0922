import type { Bundle } from '../bundle/bundle.js';
import { qualifiedReference } from '../bundle/registry/reference.js';
import { addExtras } from '../bundle/upstream/extras.js';
import type { PullOptions } from '../bundle/upstream/pull-context.js';
import type { ClusterConfig, ObjectSource } from '../config/types.js';
import { lackingFor } from './bundle-complete.js';

/**
 * Adds to a bundle what a cluster file's network and add-ons want and it lacks: manifests that the file names by a
 * URL, and every image that a manifest mentions.
 * @throws BUNDLE, AUTHENTICATION, CONNECTION; CONFIG for manifests that can't be read
 */
export async function addForCluster(
  config: ClusterConfig,
  bundle: Bundle,
  options: Omit<PullOptions, 'kubernetesVersion' | 'architecture' | 'outDir'>,
): Promise<Bundle> {
  const manifests = sourcesOf(config).flatMap((source) => ('url' in source ? [source] : []));
  // Manifests first: what is in them says which images are wanted.
  const known = manifests.length === 0 ? bundle : await addExtras(bundle, { images: [], manifests }, options);
  const { cacheDir, signal } = options;
  const lacking = await lackingFor(config, known, { cacheDir, ...(signal === undefined ? {} : { signal }) });
  const images = lacking.filter(({ kind }) => kind === 'image').map(({ name }) => qualifiedReference(name));
  return images.length === 0 ? known : addExtras(known, { images, manifests: [] }, options);
}

function sourcesOf({ spec }: ClusterConfig): ObjectSource[] {
  const { network, addons } = spec;
  const own =
    network.plugin === 'manifest' ? network.manifests : network.plugin === 'calico' ? [network.manifest] : [];
  return [...own, ...addons.flatMap((addon) => addon.manifests)];
}
