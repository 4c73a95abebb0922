import { type Cidr, contains, formatCidr, overlaps, parseCidrs } from '../cidr.js';
import type { ClusterConfigurationInput } from '../schema/cluster-configuration.js';
import { nodeIPOf } from './hosts.js';
import type { Rule } from './rule.js';

const DEFAULT_SERVICES = '10.96.0.0/12';
/** The controller manager's default size of a node's pod range, by family. */
const NODE_MASK = { 4: 24, 6: 64 } as const;
/** kubeadm's limit (PodSubnetNodeMaskMaxDiff). */
const MAX_NODE_BITS = 16;

interface Ranges {
  pods: Cidr[];
  services: Cidr[];
}

function rangesOf(configuration: ClusterConfigurationInput): Ranges {
  const { podSubnet, serviceSubnet } = configuration.networking ?? {};
  return {
    pods: (podSubnet ? parseCidrs(podSubnet) : null) ?? [],
    services: parseCidrs(serviceSubnet || DEFAULT_SERVICES) ?? [],
  };
}

/** Ranges of pods and services share no address, and are of the same families in the same order. */
export const ranges: Rule = ({ ClusterConfiguration }, report) => {
  if (ClusterConfiguration === undefined) return;
  const { pods, services } = rangesOf(ClusterConfiguration);
  const path = ['networking', 'podSubnet'];
  for (const pod of pods) {
    const service = services.find((other) => overlaps(pod, other));
    if (service !== undefined) {
      report(
        'ClusterConfiguration',
        path,
        `${formatCidr(pod)} overlaps the service range ${formatCidr(service)}`,
      );
    }
  }
  if (pods.length === 0) return;
  const families = (cidrs: readonly Cidr[]) => cidrs.map(({ family }) => `IPv${family}`).join(',');
  if (families(pods) !== families(services)) {
    const message = `is ${families(pods)} and serviceSubnet is ${families(services)}: both need the same families in the same order`;
    report('ClusterConfiguration', path, message);
  }
};

/** A node's own range fits into the pods' range, as kubeadm checks it. */
export const nodeRanges: Rule = ({ ClusterConfiguration }, report) => {
  if (ClusterConfiguration === undefined) return;
  const args = ClusterConfiguration.controllerManager?.extraArgs ?? [];
  const argValue = (name: string) => args.findLast((arg) => arg.name === name)?.value;
  if (argValue('allocate-node-cidrs') === 'false') return;
  for (const pod of rangesOf(ClusterConfiguration).pods) {
    const mask = Number(argValue(`node-cidr-mask-size-ipv${pod.family}`) ?? NODE_MASK[pod.family]);
    const path = ['networking', 'podSubnet'];
    if (pod.prefix > mask) {
      report('ClusterConfiguration', path, `/${pod.prefix} has no room for the /${mask} of one node`);
    } else if (mask - pod.prefix > MAX_NODE_BITS) {
      const message = `/${pod.prefix} is too large for a /${mask} a node: at most ${MAX_NODE_BITS} bits lie between them`;
      report('ClusterConfiguration', path, message);
    }
  }
};

/** No host's address lies in a range of pods or services. */
export const hostsOutsideOfRanges: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  if (Cluster === undefined || ClusterConfiguration === undefined) return;
  const { pods, services } = rangesOf(ClusterConfiguration);
  for (const [i, host] of Cluster.spec.hosts.entries()) {
    const address = nodeIPOf(host);
    const field = host.nodeIP === undefined ? 'address' : 'nodeIP';
    for (const [name, cidrs] of Object.entries({ pod: pods, service: services })) {
      const range = cidrs.find((cidr) => address !== undefined && contains(cidr, address));
      if (range === undefined) continue;
      report(
        'Cluster',
        ['spec', 'hosts', i, field],
        `${address} lies in the ${name} range ${formatCidr(range)}`,
      );
    }
  }
};

/** flannel takes its network from podSubnet. */
export const flannel: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  const network = Cluster?.spec.network;
  if (Cluster === undefined || network?.plugin === 'none') {
    for (const field of Object.keys(network ?? {}).filter((name) => name !== 'plugin')) {
      report('Cluster', ['spec', 'network', field], 'means nothing with plugin none', { at: 'key' });
    }
    return;
  }
  if (ClusterConfiguration !== undefined && !ClusterConfiguration.networking?.podSubnet) {
    const message = 'required by flannel: add podSubnet: 10.244.0.0/16, or another range that is free';
    report('ClusterConfiguration', ['networking', 'podSubnet'], message);
  }
  for (const field of ['directRouting', 'port', 'vni'] as const) {
    if (network?.backend === 'host-gw' && network[field] !== undefined) {
      report('Cluster', ['spec', 'network', field], 'means nothing with backend host-gw', { at: 'key' });
    }
  }
};
