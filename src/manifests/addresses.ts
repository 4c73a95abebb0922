import { isIP, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { firstControlPlane } from './control-plane-hosts.js';

/** `host:port`, with brackets around an IPv6 address. */
export function joinHostPort(host: string, port: number | string): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
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
  return indexedAddress(serviceSubnet.split(',')[0] ?? '', 10);
}

function indexedAddress(cidr: string, index: number): string {
  const [base = '', length = ''] = cidr.trim().split('/');
  const bits = isIP(base) === 6 ? 128 : 32;
  const prefix = Number(length);
  if (isIP(base) === 0 || !/^\d+$/.test(length) || prefix > bits) {
    throw new KeelsonError('CONFIG', `'${cidr}' is no service subnet in CIDR form`);
  }
  if (2n ** BigInt(bits - prefix) <= BigInt(index)) {
    throw new KeelsonError('CONFIG', `the service subnet ${cidr} has no address number ${index}`, {
      hint: 'choose a larger networking.serviceSubnet',
    });
  }
  const value = BigInt(`0x${Buffer.from(ipaddr.parse(base).toByteArray()).toString('hex')}`);
  const host = (1n << BigInt(bits - prefix)) - 1n;
  const sum = (value & ~host) + BigInt(index);
  const bytes = Buffer.from(sum.toString(16).padStart(bits / 4, '0'), 'hex');
  const address = ipaddr.fromByteArray([...bytes]);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
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
