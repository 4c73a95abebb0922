import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Bundle, blobPath } from '../bundle/bundle.js';
import type { KubeObject } from '../cluster/client.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { calicoObjects } from '../manifests/calico.js';
import { type CarriedText, readManifests } from './manifest-sources.js';

/**
 * Manifests that a bundle carries. Where there is no bundle, or it has another content than its lock says, none are.
 * @param bundle throws where there is none
 */
export function carriedBy(bundle: () => Bundle): CarriedText {
  return async (sha256) => {
    let found: Bundle;
    try {
      found = bundle();
    } catch (error) {
      if (error instanceof KeelsonError && error.code === 'BUNDLE') return null;
      throw error;
    }
    if (!(found.lock.manifests ?? []).some((manifest) => manifest.sha256 === sha256)) return null;
    const bytes = await readFile(blobPath(found, sha256)).catch(() => null);
    const isIt = bytes !== null && createHash('sha256').update(bytes).digest('hex') === sha256;
    return isIt ? bytes.toString('utf8') : null;
  };
}

/**
 * Objects of a network that comes from manifests; none where keelson brings its own or there is none.
 * @throws CONFIG for manifests that can't be read, CONNECTION for a URL
 */
export async function networkObjects(
  config: ClusterConfig,
  signal: AbortSignal,
  carried?: CarriedText,
): Promise<KubeObject[]> {
  const { network } = config.spec;
  switch (network.plugin) {
    case 'manifest':
      return readManifests(network.manifests, signal, carried);
    case 'calico': {
      const published = await readManifests([network.manifest], signal, carried);
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
  carried?: CarriedText,
): Promise<Map<string, KubeObject[]>> {
  const read = spec.addons.map(
    async ({ name, manifests }) => [name, await readManifests(manifests, signal, carried)] as const,
  );
  return new Map(await Promise.all(read));
}
