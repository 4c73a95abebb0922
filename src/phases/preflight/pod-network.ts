import { type Cidr, canonicalAddress, contains, formatCidr, parseCidr } from '../../config/cidr.js';
import { defineCheck, error, ok, type Subject } from './check.js';

/** kube-proxy's own demand (pkg/util/kernel: NFTablesKubeProxyKernelVersion). */
const NFTABLES_KERNEL = [5, 13] as const;

export const kubeProxyKernel = defineCheck({
  id: 'kube-proxy-kernel',
  judge: ({ config, facts, host }) => {
    const wanted = config.cluster.proxy.disabled !== true && config.kubeProxy.mode === 'nftables';
    if (!wanted || host.role === 'etcd') return [];
    const [major = 0, minor = 0] = facts.kernel.split('.').map((part) => Number.parseInt(part, 10));
    const [least, leastMinor] = NFTABLES_KERNEL;
    if (major > least || (major === least && minor >= leastMinor))
      return [ok('NFTables', `Linux ${facts.kernel}`)];
    const message = `Linux ${facts.kernel} is too old: kube-proxy's mode nftables needs ${NFTABLES_KERNEL.join('.')}`;
    return [error('NFTables', message, 'use a newer kernel, or mode iptables in KubeProxyConfiguration')];
  },
});

/** What the host reaches without a router through the interface of its node address; null where that is not known. */
function networkOf({ facts, host }: Subject): Cidr | null {
  const own = facts.addresses.find(
    ({ address }) => canonicalAddress(address) === canonicalAddress(host.nodeIP),
  );
  return own === undefined ? null : parseCidr(`${own.address}/${own.prefix}`);
}

/** host-gw routes by the other host itself, which has to be one hop away. */
export const hostGateway = defineCheck({
  id: 'host-gateway',
  judge: (subject, all) => {
    const { network } = subject.config.spec;
    if (network.plugin !== 'flannel' || network.backend !== 'host-gw' || subject.host.role === 'etcd')
      return [];
    // With an interface of its own choice flannel takes other addresses than these.
    if (network.interface !== undefined || network.interfacePattern !== undefined) return [];
    const own = networkOf(subject);
    if (own === null) return [];
    const far = all
      .filter(({ host }) => host.role !== 'etcd' && !contains(own, host.nodeIP))
      .map(({ host }) => `${host.name} (${host.nodeIP})`);
    if (far.length === 0) return [ok('HostGateway', `all nodes are in ${formatCidr(own)}`)];
    const message = `backend host-gw needs all nodes in one network: outside of ${formatCidr(own)} ${far.length === 1 ? 'is' : 'are'} ${far.join(', ')}`;
    return [
      error(
        'HostGateway',
        message,
        'use backend vxlan with directRouting: it only encapsulates between networks',
      ),
    ];
  },
});
