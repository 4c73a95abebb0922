import { controlPlanes, etcdHosts, hostNamed, withAbsent } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

/**
 * The file's configuration in which a host is absent.
 * @throws USAGE for an unknown host; CONFLICT for the only one of its role that a cluster can't do without
 */
export function configWithout(config: ClusterConfig, name: string): ClusterConfig {
  hostNamed(config, name);
  const without = withAbsent(config, [name]);
  if (hostNamed(config, name).role === 'etcd' && etcdHosts(without).length === 0) {
    throw new KeelsonError('CONFLICT', `${name} is the only host of role etcd`, {
      host: name,
      hint: 'keelson node replace puts another in its place; keelson reset ends the cluster',
    });
  }
  if (controlPlanes(without).length > 0) return without;
  throw new KeelsonError('CONFLICT', `${name} is the only control plane`, {
    host: name,
    hint: 'keelson node replace puts another in its place; keelson reset ends the cluster',
  });
}

/** Options of what takes a host out of the cluster, beside those of the wait for its pods. */
export const REMOVE_OPTIONS = {
  unreachable: {
    flags: '--unreachable',
    description: 'the host is gone for good: nothing is done on it, its pods are given up',
    kind: 'boolean',
  },
} as const;
