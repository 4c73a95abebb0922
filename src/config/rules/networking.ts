import { type Cidr, contains, familyOf, formatCidr, overlaps, parseCidrs } from '../cidr.js';
import type { ClusterConfigurationInput } from '../schema/cluster-configuration.js';
import { nodeIPsOf } from './hosts.js';
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

const families = (cidrs: readonly Cidr[]): string => cidrs.map(({ family }) => `IPv${family}`).join(',');

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
    const field = host.nodeIP === undefined ? 'address' : 'nodeIP';
    for (const address of nodeIPsOf(host)) {
      for (const [name, cidrs] of Object.entries({ pod: pods, service: services })) {
        const range = cidrs.find((cidr) => contains(cidr, address));
        if (range === undefined) continue;
        const message = `${address} lies in the ${name} range ${formatCidr(range)}`;
        report('Cluster', ['spec', 'hosts', i, field], message);
      }
    }
  }
};

/** Nodes have an address of each family of their pods, which flannel carries between them. */
export const nodeFamilies: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  if (Cluster === undefined || ClusterConfiguration === undefined) return;
  if ((Cluster.spec.network?.plugin ?? 'flannel') !== 'flannel') return;
  const { pods, services } = rangesOf(ClusterConfiguration);
  // What is reported of the ranges themselves is enough.
  if (families(pods) !== families(services)) return;
  for (const [i, host] of Cluster.spec.hosts.entries()) {
    const addresses = nodeIPsOf(host);
    if (host.role === 'etcd' || addresses.length === 0) continue;
    const missing = pods.find(({ family }) => !addresses.some((address) => familyOf(address) === family));
    if (missing === undefined) continue;
    const field = host.nodeIP === undefined ? 'address' : 'nodeIP';
    const more = pods.length === 2 ? 'give both in nodeIP, with a comma between' : 'give one in nodeIP';
    const message = `pods have IPv${missing.family} addresses, and ${host.name} has none: ${more}`;
    report('Cluster', ['spec', 'hosts', i, field], message);
  }
};

/** An API server advertises an address of the family that services have first; else it does not start. */
export const advertisedFamily: Rule = (documents, report) => {
  const { Cluster, ClusterConfiguration, InitConfiguration, JoinConfiguration } = documents;
  if (Cluster === undefined || ClusterConfiguration === undefined) return;
  const [services] = rangesOf(ClusterConfiguration).services;
  const planes = Cluster.spec.hosts.filter(
    ({ role, state }) => role === 'control-plane' && state !== 'absent',
  );
  for (const [i, host] of Cluster.spec.hosts.entries()) {
    if (!planes.includes(host) || services === undefined) continue;
    const endpoint =
      host === planes[0]
        ? InitConfiguration?.localAPIEndpoint
        : JoinConfiguration?.controlPlane?.localAPIEndpoint;
    const address = host.advertiseAddress || endpoint?.advertiseAddress || nodeIPsOf(host)[0];
    if (address === undefined || familyOf(address) === services.family) continue;
    const fields = ['advertiseAddress', 'nodeIP'] as const;
    const field = fields.find((name) => host[name] !== undefined) ?? 'address';
    const message = `the API server would advertise ${address}, but services have IPv${services.family} addresses first: it does not start so`;
    report('Cluster', ['spec', 'hosts', i, field], message);
  }
};
