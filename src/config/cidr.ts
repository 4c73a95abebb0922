import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { KeelsonError } from '../errors/keelson-error.js';

type Family = 4 | 6;

/** An address range: its first address as a number, and the length of its prefix. */
export interface Cidr {
  family: Family;
  network: bigint;
  prefix: number;
}

const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

function toNumber(address: string): bigint {
  return ipaddr
    .parse(address)
    .toByteArray()
    .reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function toAddress(family: Family, value: bigint): string {
  const length = bitsOf(family) / 8;
  const bytes = Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn));
  return ipaddr.fromByteArray(bytes).toString();
}

/** 4 or 6 for a plain IP address, null for anything else (also zoned and bracketed ones). */
export function familyOf(address: string): Family | null {
  if (address.includes('%')) return null;
  const version = isIP(address);
  return version === 4 || version === 6 ? version : null;
}

/** The canonical, shortest spelling of an IP address (RFC 5952 for IPv6); other text is returned unchanged. */
export function canonicalAddress(address: string): string {
  return familyOf(address) === null ? address : ipaddr.parse(address).toString();
}

/** A range from `10.0.0.0/8` or `fd00::/64`; host bits are cleared. null for anything else. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length = '', ...rest] = text.split('/');
  const family = familyOf(address);
  if (family === null || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length)) return null;
  const prefix = Number(length);
  if (prefix > bitsOf(family)) return null;
  const hostBits = BigInt(bitsOf(family) - prefix);
  return { family, network: (toNumber(address) >> hostBits) << hostBits, prefix };
}

/** The ranges of a comma-separated list as kubeadm's subnets have it (no spaces); null where one is invalid. */
export function parseCidrs(text: string): Cidr[] | null {
  const parsed = text.split(',').map(parseCidr);
  return parsed.every((cidr) => cidr !== null) ? parsed : null;
}

/** `10.96.0.0/12` */
export function formatCidr(cidr: Cidr): string {
  return `${toAddress(cidr.family, cidr.network)}/${cidr.prefix}`;
}

/** Number of addresses in a range, network and broadcast addresses included. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt(bitsOf(cidr.family) - cidr.prefix);
}

/** Do the two ranges share an address? Ranges of different families never do. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  if (a.family !== b.family) return false;
  const hostBits = BigInt(bitsOf(a.family) - Math.min(a.prefix, b.prefix));
  return a.network >> hostBits === b.network >> hostBits;
}

/** Are the two texts the same range? False where either is none. */
export function sameCidr(a: string, b: string): boolean {
  const [one, other] = [parseCidr(a), parseCidr(b)];
  return one !== null && other !== null && formatCidr(one) === formatCidr(other);
}

/** Is the IP address in the range? */
export function contains(cidr: Cidr, address: string): boolean {
  const family = familyOf(address);
  if (family === null) return false;
  return overlaps(cidr, { family, network: toNumber(address), prefix: bitsOf(family) });
}

const HINT = 'write it as address/prefix, two of them separated by a comma for dual stack';

/**
 * The `n`th address of the first range in `cidrs` (`10.96.0.0/12` or a dual-stack list), counted from 0: for
 * a service subnet 1 is the API server's address and 10 is that of DNS, as kubeadm counts.
 * @throws KeelsonError CONFIG where the text is no range or has no such address
 */
export function nthAddress(cidrs: string, n: number): string {
  const cidr = parseCidr(cidrs.split(',')[0] ?? '');
  if (cidr === null) throw new KeelsonError('CONFIG', `"${cidrs}" is no address range`, { hint: HINT });
  if (BigInt(n) >= sizeOf(cidr) || n < 0)
    throw new KeelsonError('CONFIG', `${cidrs} has no address number ${n}`, {
      hint: 'choose a larger range',
    });
  return toAddress(cidr.family, cidr.network + BigInt(n));
}

/** Can a node have this address? Loopback, unspecified, multicast, link-local and broadcast ones are none. */
export function isNodeAddress(address: string): boolean {
  if (familyOf(address) === null) return false;
  const range = isIPv4(address) ? ipaddr.IPv4.parse(address).range() : ipaddr.IPv6.parse(address).range();
  return !['loopback', 'unspecified', 'multicast', 'linkLocal', 'broadcast', 'ipv4Mapped'].includes(range);
}
