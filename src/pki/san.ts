import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { KeelsonError } from '../errors/keelson-error.js';

/** Subject alternative names: DNS names sorted, addresses in canonical text and in the order given; no duplicates. */
export interface Sans {
  dns: readonly string[];
  ips: readonly string[];
}

const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const IPV4_DECIMAL = /^\d+\.\d+\.\d+\.\d+$/;

/** Whether `name` is a DNS-1123 subdomain (lower case, at most 253 characters), as Kubernetes checks it. */
export function isDnsName(name: string): boolean {
  return name.length <= 253 && SUBDOMAIN.test(name);
}

/** Whether `name` is `*.` and a DNS-1123 subdomain. */
function isWildcardDnsName(name: string): boolean {
  return name.length <= 253 && name.startsWith('*.') && SUBDOMAIN.test(name.slice(2));
}

/**
 * The one text of an address: dotted decimal for IPv4 and IPv4-mapped IPv6, RFC 5952 otherwise; null for
 * what is no address. Leading zeros are decimal, as Go's lenient parser in kubeadm reads them; zones,
 * prefixes and shortened IPv4 are refused.
 */
export function canonicalIp(text: string): string | null {
  if (IPV4_DECIMAL.test(text)) {
    const octets = text.split('.').map(Number);
    return octets.every((octet) => octet <= 255) ? octets.join('.') : null;
  }
  if (isIP(text) !== 6 || text.includes('%')) return null;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/**
 * Names and addresses sorted into the two kinds and deduplicated as kubeadm does.
 * Throws CONFIG for an entry that is neither an address nor a DNS name: certificate libraries encode such
 * entries wrongly without a word.
 */
export function toSans(names: readonly string[]): Sans {
  const dns = new Set<string>();
  const ips = new Set<string>();
  for (const name of names) {
    const ip = canonicalIp(name);
    if (ip !== null) ips.add(ip);
    else if (isDnsName(name) || isWildcardDnsName(name)) dns.add(name);
    else {
      throw new KeelsonError('CONFIG', `'${name}' can't be a subject alternative name`, {
        hint: 'give an IP address without zone or prefix, or a lower-case DNS name, which may start with *.',
      });
    }
  }
  return { dns: [...dns].sort(), ips: [...ips] };
}

/** Members of `expected` that `actual` lacks; a wildcard in `actual` stands for one label, as in TLS. */
export function lackingSans(expected: Sans, actual: Sans): string[] {
  const names = new Set(actual.dns.map((name) => name.toLowerCase()));
  const addresses = new Set(actual.ips);
  const covered = (name: string): boolean =>
    names.has(name) || (!name.startsWith('*.') && names.has(`*${name.slice(name.indexOf('.'))}`));
  return [
    ...expected.dns.filter((name) => !covered(name)),
    ...expected.ips.filter((address) => !addresses.has(address)),
  ];
}
