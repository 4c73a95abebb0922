import { isIPv6 } from 'node:net';
import { nthAddress } from '../config/cidr.js';
import { firstControlPlane } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';

/** `host:port`, with brackets around an IPv6 address. */
export function joinHostPort(host: string, port: number | string): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * URL for who is no host of the cluster: as `controlPlaneUrl`, but where the endpoint is on the hosts' loopback,
 * the first control plane's own address.
 */
export function outsideUrl(config: ClusterConfig): string {
  if (config.spec.endpoint?.provider !== 'node-local') return controlPlaneUrl(config);
  const { advertiseAddress, bindPort } = firstControlPlane(config).localAPIEndpoint;
  return `https://${joinHostPort(advertiseAddress, bindPort)}`;
}

/** The loopback address of the same family as `address`. */
export function loopbackFor(address: string): '127.0.0.1' | '::1' {
  return isIPv6(address) ? '::1' : '127.0.0.1';
}

/**
 * Cluster address of the DNS service: the tenth of the first service subnet.
 * @param serviceSubnet one CIDR, or two separated by a comma (dual stack)
 * @throws KeelsonError CONFIG if the first is no CIDR or has no tenth address
 */
export function dnsServiceIP(serviceSubnet: string): string {
  return nthAddress(serviceSubnet, 10);
}

/**
 * URL under which nodes and add-ons reach the API: controlPlaneEndpoint (with the bind port where it
 * names none), else the first control plane's advertise address.
 */
export function controlPlaneUrl(config: ClusterConfig): string {
  const { advertiseAddress, bindPort } = firstControlPlane(config).localAPIEndpoint;
  const endpoint = config.cluster.controlPlaneEndpoint;
  if (endpoint === undefined || endpoint === '') return `https://${joinHostPort(advertiseAddress, bindPort)}`;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(endpoint);
  if (match === null) return `https://${joinHostPort(endpoint.replace(/^\[(.*)\]$/, '$1'), bindPort)}`;
  return `https://${joinHostPort(match[1] ?? match[2] ?? '', match[3] ?? '')}`;
}
