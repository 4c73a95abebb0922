import type { ClusterConfig, ResolvedHost, Timeouts } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

export type ControlPlaneHost = ResolvedHost & {
  localAPIEndpoint: NonNullable<ResolvedHost['localAPIEndpoint']>;
};

/**
 * `host`, known to have an API endpoint of its own.
 * @throws KeelsonError BUG for a worker
 */
export function asControlPlane(host: ResolvedHost): ControlPlaneHost {
  const { localAPIEndpoint } = host;
  if (localAPIEndpoint === null) {
    throw new KeelsonError('BUG', 'no local API endpoint on a host that should be a control plane', {
      host: host.name,
    });
  }
  return { ...host, localAPIEndpoint };
}

/**
 * The control plane that initialises the cluster: the first that is present.
 * @throws KeelsonError CONFIG where there is none
 */
export function firstControlPlane(config: ClusterConfig): ControlPlaneHost {
  const host = config.hosts.find(({ role, state }) => role === 'control-plane' && state === 'present');
  if (host === undefined) throw new KeelsonError('CONFIG', 'no control plane among the hosts');
  return asControlPlane(host);
}

/** Timeouts of InitConfiguration on the first control plane, of JoinConfiguration elsewhere. */
export function timeoutsOf(config: ClusterConfig, host: ResolvedHost): Timeouts {
  const first = config.hosts.find(({ role, state }) => role === 'control-plane' && state === 'present');
  return first?.name === host.name ? config.init.timeouts : config.joinTimeouts;
}
