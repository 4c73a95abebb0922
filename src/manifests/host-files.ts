import type { ClusterConfig } from '../config/types.js';

export const MODULES_FILE = '/etc/modules-load.d/k8s.conf';
export const SYSCTL_FILE = '/etc/sysctl.d/99-kubernetes-cri.conf';

/** Kernel modules of a node: overlay for containerd, br_netfilter for kube-proxy and CNI. */
export const KERNEL_MODULES = ['overlay', 'br_netfilter'] as const;

/**
 * Kernel settings of every node. The bridge ones are there only once br_netfilter is loaded. inotify: the
 * kernel's default of 128 instances is too few for a node's pods and log watchers.
 */
const SYSCTLS: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'fs.inotify.max_user_instances': '8192',
  'fs.inotify.max_user_watches': '1048576',
};

/** Those of this cluster's nodes: IPv6 forwarding too, where pods or services have IPv6 addresses. */
export function sysctlsFor({ cluster }: ClusterConfig): Readonly<Record<string, string>> {
  const subnets = `${cluster.networking.podSubnet ?? ''},${cluster.networking.serviceSubnet}`;
  return subnets.includes(':') ? { ...SYSCTLS, 'net.ipv6.conf.all.forwarding': '1' } : SYSCTLS;
}

export function modulesLoadFile(): string {
  return `${KERNEL_MODULES.join('\n')}\n`;
}

export function sysctlFile(config: ClusterConfig): string {
  return `${Object.entries(sysctlsFor(config))
    .map(([key, value]) => `${key} = ${value}`)
    .join('\n')}\n`;
}
