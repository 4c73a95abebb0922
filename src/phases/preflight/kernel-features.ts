import type { ClusterConfig } from '../../config/types.js';
import type { Target } from './check.js';

/** Something that the kernel has to bring. */
export interface Feature {
  check: string;
  module: string;
  /** Of the kernel's configuration, without CONFIG_. */
  symbol: string;
  /** Shell condition: what the module brings is there, loaded or built in. */
  there: string;
  why: string;
  /** Its absence can't be told where the host shows no modules (containers). */
  visible: boolean;
  /** What to do where there are no such modules to install; default: install them. */
  instead?: string;
}

const ALWAYS: readonly Feature[] = [
  {
    check: 'BridgeNetfilter',
    module: 'br_netfilter',
    symbol: 'BRIDGE_NETFILTER',
    there: '[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]',
    why: 'services are not reached from pods of the same node',
    visible: true,
  },
  {
    check: 'Overlayfs',
    module: 'overlay',
    symbol: 'OVERLAY_FS',
    there: 'grep -qw overlay /proc/filesystems',
    why: 'containerd keeps containers in it',
    visible: true,
  },
  {
    check: 'Conntrack',
    module: 'nf_conntrack',
    symbol: 'NF_CONNTRACK',
    there: '[ -e /proc/sys/net/netfilter/nf_conntrack_max ]',
    why: 'kube-proxy needs connection tracking',
    visible: false,
  },
];

const vxlan = (why: string): Feature => ({
  check: 'Vxlan',
  module: 'vxlan',
  symbol: 'VXLAN',
  there: '[ -d /sys/module/vxlan ]',
  why,
  visible: false,
});

/** Calico only warns without it, and pods' packets go unencapsulated. */
const IPIP: Feature = {
  check: 'IPIP',
  module: 'ipip',
  symbol: 'NET_IPIP',
  there: '[ -d /sys/module/ipip ]',
  why: 'Calico encapsulates with it',
  visible: false,
  instead: 'use a kernel that has it (CONFIG_NET_IPIP), or mode vxlan, or mixed with encapsulation vxlan',
};

const WIREGUARD: Feature = {
  check: 'Wireguard',
  module: 'wireguard',
  symbol: 'WIREGUARD',
  there: '[ -d /sys/module/wireguard ]',
  why: "flannel's backend is wireguard",
  visible: false,
  instead: 'use a kernel that has it (5.6 or later, CONFIG_WIREGUARD), or backend vxlan or host-gw',
};

const nfTables = (why: string): Feature => ({
  check: 'NFTables',
  module: 'nf_tables',
  symbol: 'NF_TABLES',
  there: '[ -d /sys/module/nf_tables ] || nft list tables >/dev/null 2>&1',
  why,
  visible: false,
});

/** kube-proxy's default scheduler (pkg/proxy/ipvs: defaultScheduler). */
const IPVS_SCHEDULER = 'rr';

/** ip_vs and the scheduler that kube-proxy is told to use. */
function ipvs({ kubeProxy }: ClusterConfig): Feature[] {
  const settings = kubeProxy.ipvs as { scheduler?: unknown } | undefined;
  const named = typeof settings?.scheduler === 'string' ? settings.scheduler : '';
  const scheduler = /^[a-z]+$/.test(named) ? named : IPVS_SCHEDULER;
  const instead =
    'use a kernel that has it (CONFIG_IP_VS), or mode iptables or nftables in KubeProxyConfiguration';
  const why = "kube-proxy's mode is ipvs";
  return [
    {
      check: 'IPVS',
      module: 'ip_vs',
      symbol: 'IP_VS',
      there: '[ -e /proc/net/ip_vs ] || [ -d /sys/module/ip_vs ]',
      why,
      visible: false,
      instead,
    },
    {
      check: 'IPVS',
      module: `ip_vs_${scheduler}`,
      symbol: `IP_VS_${scheduler.toUpperCase()}`,
      there: `[ -d /sys/module/ip_vs_${scheduler} ]`,
      why: `${why} with scheduler ${scheduler}`,
      visible: false,
      instead,
    },
  ];
}

/** What a host's kernel needs for this cluster; a member of etcd has no pod network. */
export function featuresOf({ config, host }: Target): Feature[] {
  if (host.role === 'etcd') return [...ALWAYS];
  const { network } = config.spec;
  const features = [...ALWAYS];
  if (network.plugin === 'flannel') {
    if (network.backend === 'vxlan') features.push(vxlan("flannel's backend is vxlan"));
    if (network.backend === 'wireguard') features.push(WIREGUARD);
    if (network.nftables) features.push(nfTables("flannel's nftables is set"));
  }
  if (network.plugin === 'calico') {
    const { mode, encapsulation } = network;
    if (mode === 'ipip' || (mode === 'mixed' && encapsulation === 'ipip')) features.push(IPIP);
    else if (mode !== 'bgp') features.push(vxlan(`Calico's mode is ${mode}`));
  }
  if (config.cluster.proxy.disabled === true) return features;
  if (config.kubeProxy.mode === 'ipvs') features.push(...ipvs(config));
  if (config.kubeProxy.mode === 'nftables') features.push(nfTables("kube-proxy's mode is nftables"));
  return features;
}
