import { canonicalAddress, familyOf, isNodeAddress } from '../cidr.js';
import type { HostInput } from '../schema/cluster.js';
import type { Rule } from './rule.js';

const HOSTS = ['spec', 'hosts'];

/** No two hosts share a name, a node name, an address to connect to, or an address in the cluster. */
export const uniqueHosts: Rule = ({ Cluster }, report) => {
  if (Cluster === undefined) return;
  const { hosts, ssh } = Cluster.spec;
  const fields: [string, (host: HostInput) => string[]][] = [
    ['name', (host) => [host.name]],
    ['address', (host) => [`${canonicalAddress(host.address)} port ${host.port ?? ssh?.port ?? 22}`]],
    ['nodeIP', nodeIPsOf],
  ];
  for (const [field, keysOf] of fields) {
    const seen = new Map<string, HostInput>();
    for (const [i, host] of hosts.entries()) {
      for (const key of keysOf(host)) {
        const other = seen.get(key);
        if (other === undefined) seen.set(key, host);
        // Equal addresses are reported as such; the node IP that follows from them is not a second mistake.
        else if (field !== 'nodeIP' || host.nodeIP !== undefined || other.nodeIP !== undefined) {
          const message =
            field === 'name' ? `the name ${key} is used twice` : `${key} is also that of ${other.name}`;
          report('Cluster', [...HOSTS, i, field], message);
        }
      }
    }
  }
  uniqueNodeNames(hosts, (i, message) =>
    report('Cluster', [...HOSTS, i, 'nodeRegistration', 'name'], message),
  );
};

function uniqueNodeNames(hosts: readonly HostInput[], report: (i: number, message: string) => void): void {
  for (const [i, host] of hosts.entries()) {
    const name = host.nodeRegistration?.name;
    const other = hosts.find((h) => h !== host && (h.nodeRegistration?.name ?? h.name) === name);
    if (name && other !== undefined) report(i, `the node name ${name} is also that of ${other.name}`);
  }
}

/** Addresses in the cluster, canonical; [] where the address is a name and no nodeIP is given. */
export function nodeIPsOf(host: HostInput): string[] {
  return (host.nodeIP ?? host.address)
    .split(',')
    .filter((address) => familyOf(address) !== null)
    .map(canonicalAddress);
}

/** Every host has an IP address that others can reach it by. */
export const nodeAddresses: Rule = ({ Cluster }, report) => {
  for (const [i, host] of (Cluster?.spec.hosts ?? []).entries()) {
    const path = [...HOSTS, i];
    const nodeIPs = nodeIPsOf(host);
    if (nodeIPs.length === 0) {
      report(
        'Cluster',
        [...path, 'address'],
        `${host.address} is a name: add nodeIP, the address inside the cluster`,
      );
    }
    for (const nodeIP of nodeIPs.filter((address) => !isNodeAddress(address))) {
      const field = host.nodeIP === undefined ? 'address' : 'nodeIP';
      report(
        'Cluster',
        [...path, field],
        `other hosts cannot reach ${nodeIP}: add nodeIP, the address inside the cluster`,
      );
    }
    if (host.advertiseAddress !== undefined && host.role !== 'control-plane') {
      report('Cluster', [...path, 'advertiseAddress'], 'only control planes advertise an API server', {
        at: 'key',
      });
    }
  }
};

/** There is a control plane, and several have one endpoint. */
export const controlPlanes: Rule = ({ Cluster, ClusterConfiguration }, report, note) => {
  if (Cluster === undefined) return;
  const planes = Cluster.spec.hosts.filter(
    (host) => host.role === 'control-plane' && host.state !== 'absent',
  );
  if (planes.length === 0) {
    report('Cluster', HOSTS, 'no host is a control plane: give at least one the role control-plane', {
      at: 'key',
    });
  }
  const members = Cluster.spec.hosts.filter((host) => host.role === 'etcd' && host.state !== 'absent');
  if (planes.length < 2 || ClusterConfiguration === undefined) return;
  if (!ClusterConfiguration.controlPlaneEndpoint && Cluster.spec.endpoint === undefined) {
    const remedy =
      'add the host:port of a load balancer, or of a DNS name of all of them; or let keelson make one: spec.endpoint';
    const message = `required with ${planes.length} control planes: ${remedy}`;
    report('ClusterConfiguration', ['controlPlaneEndpoint'], message);
  }
  const stacked = ClusterConfiguration.etcd?.external === undefined && members.length === 0;
  if (planes.length % 2 === 0 && stacked) note(evenMembers('control planes', planes.length));
};

/** Hosts of role etcd have no node: what is said of nodes means nothing for them. */
export const etcdMembers: Rule = ({ Cluster }, report, note) => {
  const hosts = Cluster?.spec.hosts ?? [];
  for (const [i, host] of hosts.entries()) {
    if (host.role !== 'etcd') continue;
    for (const field of ['labels', 'taints'] as const) {
      if (Object.keys(host[field] ?? {}).length === 0) continue;
      report('Cluster', [...HOSTS, i, field], 'a host of role etcd is no node', { at: 'key' });
    }
  }
  const members = hosts.filter((host) => host.role === 'etcd' && host.state !== 'absent');
  if (members.length === 0) {
    const last = hosts.findLastIndex((host) => host.role === 'etcd');
    const message = 'the last host of role etcd has the cluster’s data: put another beside it first';
    if (last !== -1) report('Cluster', [...HOSTS, last, 'state'], message);
  }
  if (members.length > 0 && members.length % 2 === 0) note(evenMembers('hosts of role etcd', members.length));
};

const evenMembers = (what: string, count: number): string =>
  `${count} ${what} tolerate no more failures of etcd than ${count - 1}: an odd number is better`;

/** What JoinConfiguration says goes for every host that joins, so it can name only one. */
export const joinIdentity: Rule = ({ Cluster, JoinConfiguration }, report) => {
  if (Cluster === undefined || JoinConfiguration === undefined) return;
  const present = Cluster.spec.hosts.filter((host) => host.state !== 'absent' && host.role !== 'etcd');
  const joining = present.length - 1;
  if (JoinConfiguration.nodeRegistration?.name && joining > 1) {
    const message = `${joining} hosts join and cannot share a name: set it at the host`;
    report('JoinConfiguration', ['nodeRegistration', 'name'], message);
  }
  const planes = present.filter((host) => host.role === 'control-plane').length - 1;
  if (JoinConfiguration.controlPlane?.localAPIEndpoint?.advertiseAddress && planes > 1) {
    const message = `${planes} control planes join and cannot share an address: set it at the host`;
    report('JoinConfiguration', ['controlPlane', 'localAPIEndpoint', 'advertiseAddress'], message);
  }
};
