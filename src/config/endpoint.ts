import { isIPv6 } from 'node:net';
import { canonicalAddress, familyOf } from './cidr.js';
import type { ClusterInput } from './schema/cluster.js';
import type { ClusterConfigurationInput } from './schema/cluster-configuration.js';
import { parseHostPort } from './schema/common.js';
import type { EndpointSpec } from './types.js';

type EndpointInput = NonNullable<ClusterInput['spec']['endpoint']>;

/**
 * Default ports. A virtual address is on hosts where the API server itself listens on all addresses, so its
 * port is another; 7443 is free on workers and control planes alike.
 */
export const ENDPOINT_PORTS = { external: 6443, 'keepalived-haproxy': 8443, 'node-local': 7443 } as const;

/** VRRP identifier of keepalived's own examples. */
const VIRTUAL_ROUTER_ID = 51;

/** `address:port`, with brackets around an IPv6 address. */
export function endpointText({ address, port }: { address: string; port: number }): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * The endpoint that a cluster has. A controlPlaneEndpoint without `spec.endpoint` is an external one.
 * @param firstAddress address of the first control plane: its family is that of a node-local endpoint
 * @param bindPort port of the first control plane's API server, which an endpoint without a port has too
 */
export function resolveEndpoint(
  input: EndpointInput | undefined,
  cluster: Pick<ClusterConfigurationInput, 'controlPlaneEndpoint'>,
  firstAddress: string,
  bindPort: number,
): EndpointSpec | null {
  if (input === undefined) {
    const given = cluster.controlPlaneEndpoint ? parseHostPort(cluster.controlPlaneEndpoint) : null;
    return given === null
      ? null
      : { provider: 'external', address: given.host, port: given.port ?? bindPort };
  }
  const port = input.port ?? ENDPOINT_PORTS[input.provider];
  const address = canonicalAddress(input.address ?? '');
  switch (input.provider) {
    case 'external':
      return { provider: 'external', address, port };
    case 'keepalived-haproxy':
      return {
        provider: 'keepalived-haproxy',
        address,
        port,
        ...(input.interface === undefined ? {} : { interface: input.interface }),
        virtualRouterId: input.virtualRouterId ?? VIRTUAL_ROUTER_ID,
      };
    case 'node-local':
      return {
        provider: 'node-local',
        address: familyOf(firstAddress) === 6 ? '::1' : '127.0.0.1',
        port,
        expose: input.expose ?? false,
      };
  }
}
