import { nthAddress } from '../config/cidr.js';
import type { ClusterConfiguration, ResolvedHost } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { canonicalIp, isDnsName } from './san.js';

/** What a server URL depends on. */
export interface EndpointScope {
  cluster: Pick<ClusterConfiguration, 'controlPlaneEndpoint'>;
  host: Pick<ResolvedHost, 'name' | 'localAPIEndpoint'>;
}

/** `host:port`, `[ipv6]:port`, `host` or a bare address; port is null where there is none. Throws CONFIG. */
export function parseHostPort(text: string): { host: string; port: number | null } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text);
  const host = match ? (match[1] ?? match[2] ?? '') : text;
  const port = match ? Number(match[3]) : null;
  const validPort = port === null || (port >= 1 && port <= 65_535);
  if (!validPort || (canonicalIp(host) === null && !isDnsName(host))) {
    throw new KeelsonError('CONFIG', `'${text}' is no endpoint`, {
      hint: 'write it as name:port, address:port or [IPv6 address]:port',
    });
  }
  return { host, port };
}

/** The advertised address and port of a control plane's own API server. Throws CONFIG where it has none. */
export function localEndpoint(host: EndpointScope['host']): { address: string; port: number } {
  const endpoint = host.localAPIEndpoint;
  const address = endpoint && canonicalIp(endpoint.advertiseAddress);
  if (!endpoint || !address) {
    throw new KeelsonError('CONFIG', `${host.name} has no address for its API server`, {
      host: host.name,
      hint: 'give this control plane an IP address in localAPIEndpoint.advertiseAddress',
    });
  }
  return { address, port: endpoint.bindPort };
}

/** URL of the host's own API server. */
export function localServerUrl(host: EndpointScope['host']): string {
  const { address, port } = localEndpoint(host);
  return serverUrl(address, port);
}

/**
 * URL under which the cluster is reached: controlPlaneEndpoint, with the host's bind port where it names
 * none; without controlPlaneEndpoint, the host's own API server.
 */
export function clusterServerUrl(scope: EndpointScope): string {
  const local = localEndpoint(scope.host);
  if (!scope.cluster.controlPlaneEndpoint) return serverUrl(local.address, local.port);
  const { host, port } = parseHostPort(scope.cluster.controlPlaneEndpoint);
  return serverUrl(host, port ?? local.port);
}

function serverUrl(host: string, port: number): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Address of the `kubernetes` Service: the first of the first service subnet. Throws CONFIG. */
export function kubernetesServiceIp(serviceSubnet: string): string {
  return nthAddress(serviceSubnet, 1);
}
