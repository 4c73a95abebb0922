import { canonicalAddress, contains, familyOf, parseCidr, sameCidr } from '../../config/cidr.js';
import type { FlannelNetwork } from '../../config/types.js';
import type { HostFacts } from '../../host/types.js';
import type { Route, SeenNetwork } from './see.js';

/** A node as the API and flannel's annotations on it describe it. */
export interface FlannelNode {
  name: string;
  podCIDRs: readonly string[];
  backend: string;
  /** By family: address between hosts, and hardware address of its VXLAN interface. */
  publicIP: { readonly 4: string; readonly 6: string };
  vtepMAC: { readonly 4: string; readonly 6: string };
}

/** What one node should have for its peers, and how much of it is there. */
export interface FlannelFindings {
  routes: { expected: number; found: number };
  /** Of VXLAN; null for backends without. */
  forwarding: { expected: number; found: number } | null;
  mtu: number | null;
  /** Not as it should be. */
  problems: string[];
  /** Worth knowing, and no fault. */
  notes: string[];
}

export interface FlannelView {
  network: FlannelNetwork;
  /** Ranges of all pods. */
  podSubnets: readonly string[];
  self: FlannelNode;
  peers: readonly FlannelNode[];
  seen: SeenNetwork;
  facts: HostFacts | undefined;
}

const CNI_FILE = '10-flannel.conflist';
/** Bytes that flannel takes off for its tunnels (v0.28.10). */
const OVERHEAD = { vxlan: 50, wireguard: 80, 'host-gw': 0 } as const;

/** The interface of a tunnel for a family; null where packets go as they are. */
function tunnelOf({ backend, vni }: FlannelNetwork, family: 4 | 6): string | null {
  if (backend === 'vxlan') return family === 4 ? `flannel.${vni}` : `flannel-v6.${vni}`;
  if (backend === 'wireguard') return family === 4 ? 'flannel-wg' : 'flannel-wg-v6';
  return null;
}

/** Compares what the node's kernel has with what flannel has to have put there. Pure. */
export function judgeFlannel(view: FlannelView): FlannelFindings {
  const { seen } = view;
  const ways = view.peers.flatMap((peer) => peer.podCIDRs.map((block) => wayTo(view, peer, block)));
  const problems = [
    ...ownProblems(view),
    ...ways.flatMap((way) => way.problems),
    ...strangers(view),
    ...seen.stray.map((line) => `left over of a former network: ${line}`),
  ];
  const vxlan = view.network.backend === 'vxlan';
  const tunnelled = ways.filter((way) => way.forwarded !== null);
  const mtu = Number(seen.subnetEnv.get('FLANNEL_MTU') ?? Number.NaN);
  return {
    routes: { expected: ways.length, found: ways.filter((way) => way.routed).length },
    forwarding: vxlan
      ? { expected: tunnelled.length, found: tunnelled.filter((way) => way.forwarded === true).length }
      : null,
    mtu: Number.isNaN(mtu) ? null : mtu,
    problems,
    notes: largePods(view, mtu),
  };
}

interface Way {
  routed: boolean;
  /** There is an entry in the forwarding table; null where none is needed. */
  forwarded: boolean | null;
  problems: string[];
}

/** How a node reaches one block of a peer. */
function wayTo({ network, seen, facts }: FlannelView, peer: FlannelNode, block: string): Way {
  const family = block.includes(':') ? 6 : 4;
  const address = peer.publicIP[family];
  const route = seen.routes.find(({ dst }) => sameCidr(dst, block));
  const near = network.backend === 'host-gw' || (network.directRouting && isNear(facts, address));
  const tunnel = near ? null : tunnelOf(network, family);
  const wanted = tunnel === null ? `via ${address}` : `over ${tunnel}`;
  const to = `${block} of ${peer.name}`;
  const problems: string[] = [];
  if (peer.backend !== network.backend)
    problems.push(`${peer.name} has backend ${peer.backend || 'none'} instead of ${network.backend}`);
  const routed = route !== undefined && (tunnel === null ? isVia(route, address) : route.dev === tunnel);
  if (route === undefined) problems.push(`no route to ${to}, which should go ${wanted}`);
  else if (!routed) problems.push(`the route to ${to} goes ${describe(route)} instead of ${wanted}`);
  if (network.backend !== 'vxlan' || tunnel === null) return { routed, forwarded: null, problems };
  const mac = peer.vtepMAC[family];
  const entry = seen.forwarding.find((known) => known.dev === tunnel && known.mac === mac);
  const forwarded = entry !== undefined && canonicalAddress(entry.dst) === canonicalAddress(address);
  if (entry === undefined)
    problems.push(`${tunnel} does not know the host of ${peer.name} (no FDB entry for ${mac})`);
  else if (!forwarded)
    problems.push(`${tunnel} sends frames for ${peer.name} to ${entry.dst} instead of ${address}`);
  if (!seen.neighbours.some((known) => known.dev === tunnel && known.mac === mac))
    problems.push(`${tunnel} has no neighbour entry for ${peer.name} (${mac})`);
  return { routed, forwarded, problems };
}

const isVia = ({ gateway, dev }: Route, address: string): boolean =>
  gateway !== null && canonicalAddress(gateway) === canonicalAddress(address) && !dev.startsWith('flannel');

const describe = ({ gateway, dev }: Route): string =>
  gateway === null ? `to ${dev}` : `via ${gateway} on ${dev}`;

/** A host in a network that one of the host's own interfaces is in. */
function isNear(facts: HostFacts | undefined, address: string): boolean {
  return (facts?.addresses ?? []).some((own) => {
    if (familyOf(own.address) !== familyOf(address) || own.interface.startsWith('flannel')) return false;
    const range = parseCidr(`${own.address}/${own.prefix}`);
    return range !== null && contains(range, address);
  });
}

function ownProblems({ network, self, seen, facts }: FlannelView): string[] {
  const problems: string[] = [];
  if (seen.subnetEnv.size === 0)
    problems.push('flannel has not served this node yet: no /run/flannel/subnet.env');
  else problems.push(...blockProblems(self, seen));
  for (const block of self.podCIDRs) {
    const tunnel = tunnelOf(network, block.includes(':') ? 6 : 4);
    if (tunnel !== null && !seen.links.some(({ name }) => name === tunnel))
      problems.push(`there is no interface ${tunnel}`);
  }
  const [first] = seen.cni;
  if (first !== CNI_FILE)
    problems.push(
      first === undefined
        ? 'there is no CNI configuration'
        : `containerd takes the CNI configuration ${first}, which goes before ${CNI_FILE}`,
    );
  const outer = facts?.addresses.find(
    ({ address }) => canonicalAddress(address) === canonicalAddress(self.publicIP[4] || self.publicIP[6]),
  )?.mtu;
  const wanted = network.mtu ?? (outer === undefined ? undefined : outer - OVERHEAD[network.backend]);
  const mtu = seen.subnetEnv.get('FLANNEL_MTU');
  if (wanted !== undefined && mtu !== undefined && Number(mtu) !== wanted)
    problems.push(`pods get an MTU of ${mtu} instead of ${wanted}`);
  return problems;
}

/** flannel serves the blocks that the node has in the API. */
function blockProblems(self: FlannelNode, seen: SeenNetwork): string[] {
  return self.podCIDRs.flatMap((block) => {
    const served = seen.subnetEnv.get(block.includes(':') ? 'FLANNEL_IPV6_SUBNET' : 'FLANNEL_SUBNET') ?? '';
    const [address = ''] = served.split('/');
    const range = parseCidr(block);
    if (range !== null && familyOf(address) === range.family && contains(range, address)) return [];
    return [`flannel serves ${served || 'nothing'}, the node has ${block}`];
  });
}

/** Routes into the pods' ranges that lead to no node: packets there are lost, or reach somebody else. */
function strangers({ podSubnets, self, peers, seen }: FlannelView): string[] {
  const blocks = [self, ...peers].flatMap((node) => node.podCIDRs);
  const ranges = podSubnets.map(parseCidr).filter((range) => range !== null);
  return seen.routes
    .filter(({ dst, protocol }) => {
      const [address = ''] = dst.split('/');
      const within = ranges.some((range) => familyOf(address) === range.family && contains(range, address));
      return within && protocol !== 'kernel' && !blocks.some((block) => sameCidr(block, dst));
    })
    .map((route) => `a route to ${route.dst}, which no node has, goes ${describe(route)}`);
}

/** Pods keep the MTU that they were made with. */
function largePods({ seen }: FlannelView, mtu: number): string[] {
  const large = seen.links.filter((link) => link.master === 'cni0' && link.mtu > mtu).length;
  if (large === 0) return [];
  const pods = large === 1 ? '1 pod has' : `${large} pods have`;
  return [`${pods} a larger MTU than the network (${mtu}) and rely on path MTU discovery: restart them`];
}
