import { join } from 'node:path';
import { type Bundle, loadBundle } from '../bundle/bundle.js';
import type { Architecture } from '../bundle/lock.js';
import { NO_MIRRORS, readMirrors } from '../bundle/mirrors.js';
import type { Credentials } from '../bundle/registry/client.js';
import { pullBundle } from '../bundle/upstream/pull.js';
import { statedArchitectures } from '../config/inventory.js';
import type { ClusterConfig, ClusterConfiguration } from '../config/types.js';
import type { EngineEvent } from '../engine/events.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { corednsImage, etcdImage, pauseImage } from '../manifests/image-names.js';
import type { WebSettings } from '../web/client.js';

export interface OnlineOptions {
  bundleCache?: string;
  bundleOptional?: boolean;
  /** Logins by registry. */
  saved?: ReadonlyMap<string, Credentials>;
  /** Proxies of this machine. */
  web?: Omit<WebSettings, 'caFiles'>;
  signal?: AbortSignal;
}

/**
 * What `spec.bundle: online` stands for: programs of the official releases, fetched once to this machine, and the
 * digests of images, which hosts pull by themselves. Where nobody answers, what was fetched before is taken.
 */
export async function onlineBundle(
  config: ClusterConfig,
  options: OnlineOptions,
  emit: (event: EngineEvent) => void,
): Promise<Bundle> {
  const { bundleCache: cacheDir } = options;
  if (cacheDir === undefined)
    throw new KeelsonError('BUNDLE', 'spec.bundle is online, and there is no cache directory', {
      hint: 'open the session with bundleCache',
    });
  const { cluster, spec } = config;
  const dir = join(cacheDir, 'bundles', 'online', `${cluster.kubernetesVersion}-${config.name}`);
  const known = await loadBundle(dir).catch(() => null);
  // What only looks asks nobody.
  if (known !== null && options.bundleOptional === true) return known;
  try {
    return await pullBundle({
      kubernetesVersion: cluster.kubernetesVersion,
      ...architecturesOf(config),
      outDir: () => dir,
      cacheDir,
      mirrors: spec.mirrors === undefined ? NO_MIRRORS : await readMirrors(spec.mirrors),
      imageRepository: cluster.imageRepository,
      references: ownReferences(cluster),
      imagesBy: 'host',
      ...(options.saved === undefined ? {} : { saved: options.saved }),
      ...(options.web === undefined ? {} : { web: options.web }),
      signal: options.signal,
    });
  } catch (error) {
    if (known === null || !(error instanceof KeelsonError) || error.code !== 'CONNECTION') throw error;
    const text = `${error.message}; going on with what was fetched before`;
    emit({ type: 'note', host: '', level: 'warning', text });
    return known;
  }
}

/** Images that a cluster file may name otherwise than the version does, by name. */
export function ownReferences(cluster: ClusterConfiguration): Record<string, string> {
  return { etcd: etcdImage(cluster), coredns: corednsImage(cluster), pause: pauseImage(cluster) };
}

/** What hosts state, amd64 for those that do not. */
function architecturesOf(config: ClusterConfig): { architecture: Architecture; others: Architecture[] } {
  const [architecture = 'amd64', ...others] = statedArchitectures(config);
  return { architecture, others };
}
