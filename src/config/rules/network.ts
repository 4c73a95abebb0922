import { familyOf } from '../cidr.js';
import type { ClusterInput } from '../schema/cluster.js';
import { didYouMean, nearest } from '../suggest.js';
import { objectProblemOf, problemOf } from './manifest-source.js';
import type { Rule } from './rule.js';

type NetworkInput = NonNullable<ClusterInput['spec']['network']>;
type Field = Exclude<keyof NetworkInput, 'plugin'>;

/** What each field is for: plugins, and of flannel's backends those that have it. */
const FIELDS: Readonly<Record<Field, { plugin: NetworkInput['plugin']; backends?: readonly string[] }>> = {
  backend: { plugin: 'flannel' },
  directRouting: { plugin: 'flannel', backends: ['vxlan'] },
  port: { plugin: 'flannel', backends: ['vxlan', 'wireguard'] },
  vni: { plugin: 'flannel', backends: ['vxlan'] },
  // flannel's host-gw takes the interface's own, whatever it is told.
  mtu: { plugin: 'flannel', backends: ['vxlan', 'wireguard'] },
  nftables: { plugin: 'flannel' },
  interface: { plugin: 'flannel' },
  interfacePattern: { plugin: 'flannel' },
  calico: { plugin: 'calico' },
  manifests: { plugin: 'manifest' },
};

/** Fields are those of the plugin and of its backend. */
export const networkFields: Rule = ({ Cluster }, report) => {
  const network = Cluster?.spec.network;
  if (network === undefined) return;
  const { plugin, backend = 'vxlan' } = network;
  for (const field of Object.keys(network).filter((name): name is Field => name !== 'plugin')) {
    const of = FIELDS[field];
    const path = ['spec', 'network', field];
    if (of.plugin !== plugin) report('Cluster', path, `means nothing with plugin ${plugin}`, { at: 'key' });
    else if (of.backends?.includes(backend) === false)
      report('Cluster', path, `means nothing with backend ${backend}`, { at: 'key' });
  }
  if (network.interface !== undefined && network.interfacePattern !== undefined) {
    const message = 'name the interface, or give a pattern: not both';
    report('Cluster', ['spec', 'network', 'interfacePattern'], message, { at: 'key' });
  }
};

/** flannel takes its network from podSubnet. */
export const flannel: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  if (Cluster === undefined || ClusterConfiguration === undefined) return;
  if ((Cluster.spec.network?.plugin ?? 'flannel') !== 'flannel') return;
  if (ClusterConfiguration.networking?.podSubnet) return;
  const message = 'required by flannel: add podSubnet: 10.244.0.0/16, or another range that is free';
  report('ClusterConfiguration', ['networking', 'podSubnet'], message);
};

/** Calico's settings go together, and with the cluster's. */
export const calico: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  const network = Cluster?.spec.network;
  if (network?.plugin !== 'calico') return;
  const at = ['spec', 'network'];
  if (network.calico === undefined) {
    report('Cluster', [...at, 'plugin'], 'plugin calico needs calico: {manifest: {file: calico.yaml}}');
    return;
  }
  const { manifest, mode = 'vxlan', bgp, encapsulation } = network.calico;
  const problem = problemOf(manifest);
  if (problem !== null) report('Cluster', [...at, 'calico', 'manifest'], problem);
  if (mode === 'vxlan' && bgp !== undefined)
    report('Cluster', [...at, 'calico', 'bgp'], 'means nothing with mode vxlan, which has no BGP', {
      at: 'key',
    });
  if (mode !== 'mixed' && encapsulation !== undefined)
    report('Cluster', [...at, 'calico', 'encapsulation'], `means nothing with mode ${mode}`, { at: 'key' });
  if (bgp?.nodeToNodeMesh === false && (bgp.peers ?? []).length === 0)
    report(
      'Cluster',
      [...at, 'calico', 'bgp', 'nodeToNodeMesh'],
      'without the mesh and without peers no node learns of the others: all stay Ready, and pods are not reached',
    );
  if (bgp !== undefined) calicoFilters(bgp, [...at, 'calico', 'bgp'], report);
  if (ClusterConfiguration !== undefined && !ClusterConfiguration.networking?.podSubnet) {
    const message = 'required by calico: add podSubnet: 10.244.0.0/16, or another range that is free';
    report('ClusterConfiguration', ['networking', 'podSubnet'], message);
  }
};

type BgpInput = NonNullable<NonNullable<NetworkInput['calico']>['bgp']>;

/** Peers name filters that are there; a filter's ranges are of the family of its list, and say how they compare. */
function calicoFilters(
  { peers = [], filters = [] }: BgpInput,
  at: readonly (string | number)[],
  report: Parameters<Rule>[1],
): void {
  const names = filters.map(({ name }) => name);
  for (const [i, peer] of peers.entries())
    for (const [j, filter] of (peer.filters ?? []).entries())
      if (!names.includes(filter))
        report(
          'Cluster',
          [...at, 'peers', i, 'filters', j],
          `there is no filter ${filter}${didYouMean(nearest(filter, names))}`,
        );
  for (const [i, filter] of filters.entries()) {
    const here = [...at, 'filters', i];
    if (names.indexOf(filter.name) < i)
      report('Cluster', [...here, 'name'], `${filter.name} is also the name of a filter before`);
    for (const list of ['exportV4', 'importV4', 'exportV6', 'importV6'] as const)
      for (const [j, { cidr, matchOperator }] of (filter[list] ?? []).entries()) {
        const family = list.endsWith('V6') ? 6 : 4;
        if ((cidr === undefined) !== (matchOperator === undefined))
          report('Cluster', [...here, list, j], 'cidr and matchOperator go together');
        else if (cidr !== undefined && familyOf(cidr.split('/')[0] ?? '') !== family)
          report('Cluster', [...here, list, j, 'cidr'], `${cidr} is no range of IPv${family}`);
      }
  }
}

export const networkManifests: Rule = ({ Cluster }, report) => {
  const network = Cluster?.spec.network;
  if (network?.plugin !== 'manifest') return;
  if (network.manifests === undefined) {
    const message = 'plugin manifest needs manifests: [{file: network.yaml}]';
    report('Cluster', ['spec', 'network', 'plugin'], message);
  }
  for (const [i, source] of (network.manifests ?? []).entries()) {
    const problem = objectProblemOf(source);
    if (problem !== null) report('Cluster', ['spec', 'network', 'manifests', i], problem);
  }
};
