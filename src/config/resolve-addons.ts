import { durationMs } from './go-duration.js';
import { resolveObjectSources } from './resolve-manifests.js';
import type { ClusterInput } from './schema/cluster.js';
import type { Surroundings } from './surroundings.js';
import type { AddonSpec } from './types.js';

const WAIT = '5m0s';

export function resolveAddons(input: ClusterInput['spec']['addons'], around: Surroundings): AddonSpec[] {
  return (input ?? []).map(({ name, manifests, needs, wait }) => ({
    name,
    manifests: resolveObjectSources(manifests, name, around),
    needs: needs ?? [],
    waitMs: durationMs(wait ?? WAIT),
  }));
}
