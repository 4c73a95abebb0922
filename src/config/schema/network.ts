import * as z from 'zod';
import { familyOf } from '../cidr.js';
import { type Check, checkDnsName, checkSubnets, port, required } from './common.js';
import { manifestSource, objectSource } from './manifest-source.js';

export const checkInterface: Check = (value) =>
  /^[^\s/:"]{1,15}$/.test(value) ? undefined : `"${value}" is no name of a network interface`;

/** flannel compiles it with Go's regexp, which has no lookarounds and no backreferences. */
const checkPattern: Check = (value) => {
  if (/\(\?[=!<]/.test(value) || /\\[1-9]/.test(value))
    return `"${value}" has lookarounds or backreferences, which flannel does not know`;
  try {
    new RegExp(value);
    return undefined;
  } catch {
    return `"${value}" is no regular expression`;
  }
};

/** AS number of four bytes. */
const asNumber = z.int().min(1).max(4_294_967_295);

/** An IP address, with `:port` or `[…]:port` where it is not BGP's. */
const checkPeer: Check = (value) => {
  const [, bracketed, plain = '', port] =
    /^(?:\[([^\]]+)\]|([^:]*|[^[\]]*:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(value) ?? [];
  const address = bracketed ?? plain;
  const right =
    familyOf(address) !== null && (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535));
  return right
    ? undefined
    : `"${value}" is no address of a peer; write 10.0.0.1, 10.0.0.1:1179 or [fd00::1]:1179`;
};

const ranges = (what: string) => z.array(required(checkSubnets)).optional().describe(what);

const calicoPeer = z.strictObject({
  name: required(checkDnsName).describe('Name of the BGPPeer.'),
  address: required(checkPeer).describe('Address of the peer, with :port where it is not 179.'),
  asNumber: asNumber.describe('AS number of the peer.'),
  nodeSelector: required(() => undefined)
    .optional()
    .describe("Nodes that peer with it, by Calico's selector; default all."),
  passwordSecret: z
    .strictObject({
      name: required(checkDnsName).describe('Name of a Secret in kube-system.'),
      key: required(() => undefined).describe('Its key.'),
    })
    .optional()
    .describe('Password of the session; calico-node is allowed to read that Secret.'),
  filters: z
    .array(required(checkDnsName))
    .optional()
    .describe('Names of bgp.filters, which routes to and from it go through.'),
});

const filterRule = z.strictObject({
  action: z
    .enum(['Accept', 'Reject'])
    .describe('What happens to a route that it fits; the first rule decides.'),
  cidr: required(checkSubnets).optional().describe('Range that the route is compared with.'),
  matchOperator: z
    .enum(['Equal', 'NotEqual', 'In', 'NotIn'])
    .optional()
    .describe('How it is compared; goes with cidr.'),
  source: z.literal('RemotePeers').optional().describe('Only routes that other peers have sent.'),
  interface: required(checkInterface).optional().describe('Only routes over this interface.'),
});
const filterRules = (what: string) => z.array(filterRule).min(1).optional().describe(what);

const calicoFilter = z.strictObject({
  name: required(checkDnsName).describe('Name of the BGPFilter.'),
  exportV4: filterRules('IPv4 routes that are sent.'),
  importV4: filterRules('IPv4 routes that are taken.'),
  exportV6: filterRules('IPv6 routes that are sent.'),
  importV6: filterRules('IPv6 routes that are taken.'),
});

const calico = z
  .strictObject({
    manifest: manifestSource.describe("Calico's published manifest, manifests/calico.yaml of a release."),
    mode: z
      .enum(['bgp', 'ipip', 'vxlan', 'mixed'])
      .optional()
      .describe('bgp: no encapsulation. mixed: between subnets only. Default vxlan, which needs no BGP.'),
    encapsulation: z
      .enum(['ipip', 'vxlan'])
      .optional()
      .describe('mixed: what it encapsulates with; default vxlan.'),
    blockSize: z.int().min(20).max(32).optional().describe("Prefix of nodes' IPv4 blocks; default 26."),
    blockSizeIPv6: z
      .int()
      .min(116)
      .max(128)
      .optional()
      .describe("Prefix of nodes' IPv6 blocks; default 122."),
    mtu: z.int().min(1280).max(65_535).optional().describe('MTU of pods; default found out by Calico.'),
    mtuInterfacePattern: required(checkPattern)
      .optional()
      .describe(
        "Interfaces whose MTU Calico starts from; default its own, which knows the kernel's usual names.",
      ),
    autodetection: required(() => undefined)
      .optional()
      .describe("How a node's address is found; default kubernetes-internal-ip."),
    natOutgoing: z.boolean().optional().describe('Masquerade what pods send outside; default true.'),
    bgp: z
      .strictObject({
        asNumber: asNumber.optional().describe("AS number of the nodes; default Calico's 64512."),
        nodeToNodeMesh: z.boolean().optional().describe('Every node peers with every other; default true.'),
        peers: z.array(calicoPeer).optional().describe('Routers to exchange routes with.'),
        filters: z.array(calicoFilter).optional().describe('BGPFilters that peers name.'),
        advertise: z
          .strictObject({
            clusterIPs: ranges('Ranges of cluster IPs.'),
            externalIPs: ranges('Ranges of external IPs.'),
            loadBalancerIPs: ranges('Ranges of load balancers.'),
          })
          .optional()
          .describe('Addresses of services that are announced.'),
      })
      .optional()
      .describe('BGP; not with mode vxlan.'),
    felix: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Fields of FelixConfiguration, as they are.'),
  })
  .describe('calico.');

/** `spec.network`, as a user writes it. */
export const network = z
  .strictObject({
    plugin: z
      .enum(['flannel', 'calico', 'manifest', 'none'])
      .describe('manifest: objects of yours, which keelson applies. none: you install a network yourself.'),
    backend: z
      .enum(['vxlan', 'host-gw', 'wireguard'])
      .optional()
      .describe(
        'flannel: default vxlan. host-gw needs hosts in one network, wireguard a kernel that has it.',
      ),
    directRouting: z
      .boolean()
      .optional()
      .describe('flannel vxlan: route between hosts of one subnet; default false.'),
    port: port('flannel vxlan and wireguard: UDP port; default 8472, 51820.').optional(),
    vni: z.int().min(1).max(16_777_215).optional().describe('flannel vxlan: network identifier; default 1.'),
    mtu: z
      .int()
      .min(1280)
      .max(65_535)
      .optional()
      .describe(
        "flannel vxlan and wireguard: MTU of pods; default what the hosts' interfaces leave of theirs.",
      ),
    nftables: z
      .boolean()
      .optional()
      .describe('flannel: masquerading and forwarding by nftables in place of iptables; default false.'),
    interface: required(checkInterface)
      .optional()
      .describe("flannel: interface between hosts; default the one with the node's own address."),
    interfacePattern: required(checkPattern)
      .optional()
      .describe('flannel: regular expression of the name or address of that interface.'),
    calico: calico.optional(),
    manifests: z.array(objectSource).min(1).optional().describe('manifest: what is applied, in this order.'),
  })
  .describe('Pod network; default flannel with vxlan.');
