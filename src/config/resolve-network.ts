import { resolveObjectSources, resolveSource } from './resolve-manifests.js';
import type { ClusterInput } from './schema/cluster.js';
import type { Surroundings } from './surroundings.js';
import type { CalicoNetwork, NetworkSpec } from './types.js';

/** flannel's own defaults (pkg/backend at v0.28.10): VXLAN with VNI 1, no direct routing. */
const PORTS = { vxlan: 8472, 'host-gw': 8472, wireguard: 51820 } as const;

export function resolveNetwork(input: ClusterInput['spec']['network'], around: Surroundings): NetworkSpec {
  if (input?.plugin === 'none') return { plugin: 'none' };
  if (input?.plugin === 'manifest')
    return { plugin: 'manifest', manifests: resolveObjectSources(input.manifests ?? [], 'network', around) };
  if (input?.plugin === 'calico' && input.calico !== undefined) return resolveCalico(input.calico, around);
  const backend = input?.backend ?? 'vxlan';
  return {
    plugin: 'flannel',
    backend,
    directRouting: input?.directRouting ?? false,
    port: input?.port ?? PORTS[backend],
    vni: input?.vni ?? 1,
    nftables: input?.nftables ?? false,
    ...(input?.mtu === undefined ? {} : { mtu: input.mtu }),
    ...(input?.interface === undefined ? {} : { interface: input.interface }),
    ...(input?.interfacePattern === undefined ? {} : { interfacePattern: input.interfacePattern }),
  };
}

/** The fields of an object that are there. */
function given<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}

type CalicoInput = NonNullable<NonNullable<ClusterInput['spec']['network']>['calico']>;

function resolveCalico(input: CalicoInput, around: Surroundings): CalicoNetwork {
  const { blockSize, blockSizeIPv6, mtu, mtuInterfacePattern, bgp } = input;
  return {
    plugin: 'calico',
    manifest: resolveSource(input.manifest, around),
    mode: input.mode ?? 'vxlan',
    encapsulation: input.encapsulation ?? 'vxlan',
    ...given({ blockSize, blockSizeIPv6, mtu, mtuInterfacePattern }),
    // What kubelets and kubeadm go by too.
    autodetection: input.autodetection ?? 'kubernetes-internal-ip',
    natOutgoing: input.natOutgoing ?? true,
    bgp: {
      ...given({ asNumber: bgp?.asNumber }),
      nodeToNodeMesh: bgp?.nodeToNodeMesh ?? true,
      peers: (bgp?.peers ?? []).map((peer) => given(peer)),
      filters: (bgp?.filters ?? []).map((filter) => given(filter)),
      advertise: {
        clusterIPs: bgp?.advertise?.clusterIPs ?? [],
        externalIPs: bgp?.advertise?.externalIPs ?? [],
        loadBalancerIPs: bgp?.advertise?.loadBalancerIPs ?? [],
      },
    },
    felix: input.felix ?? {},
  } as CalicoNetwork;
}
