import type { Role } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { nodeName } from './names.js';

/** Highest numbers that fit the address plan and the interface names. */
const MAX_CONTROL_PLANES = 9;
const MAX_WORKERS = 99;
const MAX_ETCD = 6;

/** First host part of each role: etcd1 is .5, cp1 is .11, w1 is .21. */
const FIRST: Readonly<Record<Role, number>> = { etcd: 5, 'control-plane': 11, worker: 21 };

const SECOND_OCTETS = [88, 87, 86];

/** An IPv4 network in `a.b.c.d/n` form, or a plain address, as [first, last] 32-bit numbers; null for others. */
function rangeOf(network: string): [number, number] | null {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(network);
  if (match === null) return null;
  const base = match.slice(1, 5).reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const first = Math.floor(base / size) * size;
  return [first, first + size - 1];
}

/**
 * The first of 10.88.N.0/24 that meets none of `used`; where a bigger network takes all of them (podman's
 * default does), 10.87.N.0/24 and 10.86.N.0/24.
 * @param used networks and addresses of this computer; `default` and IPv6 are ignored
 */
export function freeSubnet(used: readonly string[]): string {
  const ranges = used.map(rangeOf).filter((range) => range !== null);
  for (const second of SECOND_OCTETS) {
    for (let third = 0; third < 256; third++) {
      const subnet = `10.${second}.${third}.0/24`;
      const range = rangeOf(subnet);
      if (range === null) continue;
      if (ranges.every(([first, last]) => last < range[0] || first > range[1])) return subnet;
    }
  }
  throw new KeelsonError('LAB', 'no free network for the lab', {
    hint: 'remove a lab or a route: all of 10.86.0.0/16, 10.87.0.0/16 and 10.88.0.0/16 is in use',
  });
}

/** Address number `host` of a /24. */
function inSubnet(subnet: string, host: number): string {
  return subnet.replace(/\.0\/24$/, `.${host}`);
}

/** The bridge's own address, the nodes' gateway. */
export function gatewayOf(subnet: string): string {
  return inSubnet(subnet, 1);
}

/** Virtual address of a lab's control planes, which no machine has. */
export function virtualAddressOf(subnet: string): string {
  return inSubnet(subnet, 10);
}

/** The bridge's addresses. */
export function gatewaysOf({ subnet, subnet6 }: { subnet: string; subnet6?: string }): string[] {
  const gateway = gatewayOf(subnet);
  return subnet6 === undefined ? [gateway] : [gateway, address6Of(subnet6, gateway)];
}

/** The /64 of unique local addresses that belongs to a lab's IPv4 network: `fd88:10:88:4::/64` to 10.88.4.0/24. */
export function subnet6Of(subnet: string): string {
  const [first, second, third] = subnet.split('.');
  return `fd88:${first}:${second}:${third}::/64`;
}

/** Address in `subnet6` with the last number of an IPv4 address: that of 10.88.4.11 ends in `::11`. */
export function address6Of(subnet6: string, address: string): string {
  return subnet6.replace(/::\/64$/, `::${address.split('.')[3] ?? ''}`);
}

/** Names, roles and addresses of a lab, control planes first and etcd last. Throws USAGE for numbers that do not fit. */
export function planNodes(
  subnet: string,
  controlPlanes: number,
  workers: number,
  etcd = 0,
): { name: string; role: Role; address: string }[] {
  const inRange = (count: number, least: number, most: number) =>
    Number.isInteger(count) && count >= least && count <= most;
  const fits =
    inRange(controlPlanes, 1, MAX_CONTROL_PLANES) &&
    inRange(workers, 0, MAX_WORKERS) &&
    inRange(etcd, 0, MAX_ETCD);
  if (!fits) {
    throw new KeelsonError(
      'USAGE',
      `a lab can't have ${controlPlanes} control planes, ${workers} workers and ${etcd} hosts for etcd`,
      {
        hint: `ask for 1 to ${MAX_CONTROL_PLANES} control planes, up to ${MAX_WORKERS} workers and up to ${MAX_ETCD} hosts for etcd`,
      },
    );
  }
  const row = (role: Role, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      name: nodeName(role, i + 1),
      role,
      address: inSubnet(subnet, FIRST[role] + i),
    }));
  return [...row('control-plane', controlPlanes), ...row('worker', workers), ...row('etcd', etcd)];
}
