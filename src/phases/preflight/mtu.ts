import { familyOf } from '../../config/cidr.js';
import type { Subject } from './check.js';

/** What tunnels add to a packet: VXLAN outer IP, UDP and VXLAN headers and the inner Ethernet header. */
const OVERHEADS = {
  vxlan: { 4: 50, 6: 70 },
  wireguard: { 4: 60, 6: 80 },
  'host-gw': { 4: 0, 6: 0 },
} as const;
/** IP and ICMP headers around the payload of an echo request. */
const ECHO_HEADERS = { 4: 28, 6: 48 } as const;

const family = ({ host }: Subject): 4 | 6 => familyOf(host.nodeIP) ?? 4;

/** MTU of the interface that has the node's address; null where it is not known. */
export function interfaceMtu({ facts, host }: Subject): number | null {
  const mtu = facts.addresses.find(({ address }) => address === host.nodeIP)?.mtu ?? 0;
  return mtu > 0 ? mtu : null;
}

/** What flannel's tunnels take of each packet, in bytes; 0 for networks without. */
export function overheadOf(subject: Subject): number {
  const { network } = subject.config.spec;
  return network.plugin === 'flannel' ? OVERHEADS[network.backend][family(subject)] : 0;
}

/** The largest packet that the pods' network sends between hosts, in bytes. */
export function largestPacket(subject: Subject): number | null {
  const { network } = subject.config.spec;
  const mtu = interfaceMtu(subject);
  if (network.plugin !== 'flannel' || network.mtu === undefined) return mtu;
  return network.mtu + overheadOf(subject);
}

/** Payload of an echo request that fills a packet of that size. */
export function echoPayload(subject: Subject, packet: number): number {
  return packet - ECHO_HEADERS[family(subject)];
}
