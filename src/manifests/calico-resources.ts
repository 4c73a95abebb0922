import { isIPv6 } from 'node:net';
import type { CalicoNetwork } from '../config/types.js';
import type { ManifestObject } from './parse-manifests.js';

const API = 'crd.projectcalico.org/v1';

const resource = (kind: string, name: string, spec: Record<string, unknown>): ManifestObject => ({
  apiVersion: API,
  kind,
  metadata: { name },
  spec,
});

/** How packets between nodes are wrapped: by mode, of pools of either family. IPv6 has no IPIP in Calico. */
function encapsulation({ mode, encapsulation: wrapper }: CalicoNetwork, v6: boolean): Record<string, string> {
  const when = mode === 'bgp' ? 'Never' : mode === 'mixed' ? 'CrossSubnet' : 'Always';
  const ipip = mode === 'ipip' || (mode === 'mixed' && wrapper === 'ipip');
  if (v6) return { ipipMode: 'Never', vxlanMode: ipip ? 'Never' : when };
  return ipip ? { ipipMode: when, vxlanMode: 'Never' } : { ipipMode: 'Never', vxlanMode: when };
}

/** Calico's own defaults for the blocks that nodes get. */
const BLOCK_SIZE = { 4: 26, 6: 122 } as const;

function pool(network: CalicoNetwork, cidr: string): ManifestObject {
  const v6 = isIPv6(cidr.split('/')[0] ?? '');
  return resource('IPPool', v6 ? 'default-ipv6-ippool' : 'default-ipv4-ippool', {
    cidr,
    blockSize: (v6 ? network.blockSizeIPv6 : network.blockSize) ?? BLOCK_SIZE[v6 ? 6 : 4],
    ...encapsulation(network, v6),
    natOutgoing: network.natOutgoing,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
  });
}

const cidrs = (ranges: readonly string[]) => ranges.map((cidr) => ({ cidr }));

const READERS = 'keelson-calico-bgp-passwords';
const RBAC = 'rbac.authorization.k8s.io';

/** calico-node's right to read the Secrets of passwords: Calico's manifest gives it none. */
function passwordReaders(secrets: readonly string[]): ManifestObject[] {
  if (secrets.length === 0) return [];
  const metadata = { name: READERS, namespace: 'kube-system' };
  return [
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata,
      rules: [
        {
          apiGroups: [''],
          resources: ['secrets'],
          resourceNames: [...new Set(secrets)],
          verbs: ['get', 'list', 'watch'],
        },
      ],
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name: READERS },
      subjects: [{ kind: 'ServiceAccount', name: 'calico-node', namespace: 'kube-system' }],
    },
  ];
}

/**
 * What is no part of Calico's manifest: pools, and BGP and Felix as far as the network's settings speak of them.
 * They need the manifest's custom resource definitions.
 */
export function calicoResources(network: CalicoNetwork, podSubnets: readonly string[]): ManifestObject[] {
  const { bgp, felix } = network;
  const advertised = bgp.advertise;
  const bgpSpec = {
    nodeToNodeMeshEnabled: bgp.nodeToNodeMesh,
    ...(bgp.asNumber === undefined ? {} : { asNumber: bgp.asNumber }),
    ...(advertised.clusterIPs.length === 0 ? {} : { serviceClusterIPs: cidrs(advertised.clusterIPs) }),
    ...(advertised.externalIPs.length === 0 ? {} : { serviceExternalIPs: cidrs(advertised.externalIPs) }),
    ...(advertised.loadBalancerIPs.length === 0
      ? {}
      : { serviceLoadBalancerIPs: cidrs(advertised.loadBalancerIPs) }),
  };
  return [
    ...podSubnets.map((cidr) => pool(network, cidr)),
    ...(network.mode === 'vxlan' ? [] : [resource('BGPConfiguration', 'default', bgpSpec)]),
    ...bgp.filters.map(({ name, ...rules }) => resource('BGPFilter', name, rules)),
    ...bgp.peers.map((peer) =>
      resource('BGPPeer', peer.name, {
        peerIP: peer.address,
        asNumber: peer.asNumber,
        ...(peer.nodeSelector === undefined ? {} : { nodeSelector: peer.nodeSelector }),
        ...(peer.passwordSecret === undefined
          ? {}
          : { password: { secretKeyRef: { name: peer.passwordSecret.name, key: peer.passwordSecret.key } } }),
        ...(peer.filters === undefined || peer.filters.length === 0 ? {} : { filters: peer.filters }),
      }),
    ),
    ...passwordReaders(bgp.peers.flatMap(({ passwordSecret }) => passwordSecret?.name ?? [])),
    ...(Object.keys(felix).length === 0 ? [] : [resource('FelixConfiguration', 'default', { ...felix })]),
  ];
}
