import type { ClusterConfig, FlannelNetwork } from '../../config/types.js';
import type { ActionChange } from '../../engine/types.js';
import { ENDPOINT_ADOPTED, NETWORK_CURRENT } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { COUNT_CHAINS, type NetworkNames, networkFinders, REMOVE_CHAINS } from '../network-finders.js';
import { verdictOf } from '../rendered.js';

/** Matches nothing that has a name. */
const NOTHING = '^$';

/** Interfaces of flannel's backends that this one does not have, as patterns of the shell. */
function strayInterfaces(network: FlannelNetwork): string {
  const tunnels = { vxlan: 'flannel.*|flannel-v6.*', wireguard: 'flannel-wg|flannel-wg-v6' };
  switch (network.backend) {
    case 'vxlan':
      return tunnels.wireguard;
    case 'wireguard':
      return tunnels.vxlan;
    case 'host-gw':
      return `${tunnels.vxlan}|${tunnels.wireguard}`;
  }
}

/** What kube-proxy makes in its modes iptables and ipvs; the kubelet's own chains are others. */
const KUBE_PROXY_CHAINS =
  'KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|FORWARD|POSTROUTING|MARK-MASQ|PROXY-FIREWALL|PROXY-CANARY|LOAD-BALANCER|NODE-PORT|SOURCE-RANGES-FIREWALL|IPVS-.*|(SVC|SVL|SEP|EXT|FW|XLB)-.*)$';

/**
 * What must not be there with this configuration: of flannel's backends and of kube-proxy's modes those that are not
 * used. A network plugin that is not keelson's is left alone, and so is another's kube-proxy.
 */
function strayNames({ spec: { network }, cluster, kubeProxy }: ClusterConfig): NetworkNames {
  const flannel = network.plugin === 'flannel';
  const proxied = cluster.proxy.disabled !== true;
  const mode = String(kubeProxy.mode ?? '') || 'iptables';
  const chains = [
    ...(flannel && network.nftables ? ['FLANNEL-'] : []),
    ...(proxied && mode === 'nftables' ? [KUBE_PROXY_CHAINS] : []),
  ];
  const tables = [
    ...(flannel && !network.nftables ? ['flannel-ipv4', 'flannel-ipv6'] : []),
    ...(proxied && mode !== 'nftables' ? ['kube-proxy'] : []),
  ];
  return {
    interfaces: [
      ...(flannel ? [strayInterfaces(network)] : []),
      ...(proxied && mode !== 'ipvs' ? ['kube-ipvs0'] : []),
      // So that there is a pattern at all.
      ...(flannel || (proxied && mode !== 'ipvs') ? [] : ["''"]),
    ].join('|'),
    bridged: false,
    chains: chains.length === 0 ? NOTHING : `^(${chains.join('|')})`,
    rules: NOTHING,
    tables: tables.length === 0 ? NOTHING : tables.join('|'),
    sets: proxied && mode !== 'ipvs' ? '^KUBE-' : NOTHING,
  };
}

/** A VXLAN interface with another identifier is stray too, which a pattern can't say. */
const otherVni = ({ spec: { network } }: ClusterConfig): string =>
  network.plugin === 'flannel' && network.backend === 'vxlan'
    ? `ip -o link show type vxlan 2>/dev/null | sed -n 's/^[0-9]*: *\\(flannel\\(-v6\\)\\{0,1\\}\\.[0-9]*\\)[@:].*/\\1/p' | grep -v '\\.${network.vni}$'`
    : 'true';

const findersOf = (config: ClusterConfig): string => `${networkFinders(strayNames(config))}
stray() { { interfaces; ${otherVni(config)}; } | sort -u; }
`;

/** Lines `interface NAME`, `chains TOOL N`, `table …`, `set NAME`. iptables is only asked where it may have some. */
export const strayProbe = (config: ClusterConfig): string => `${findersOf(config)}
stray | sed 's/^/interface /'
${strayNames(config).chains === NOTHING ? '' : COUNT_CHAINS}tables | sed 's/^/table /'
sets | sed 's/^/set /'
true`;

/**
 * An interface goes when no route needs it any more, or after ten seconds: what is left then leads to nodes that are
 * gone or down, whose flannel will say how they are reached once they are back.
 */
export const removeStray = (config: ClusterConfig): string => `${findersOf(config)}
used() { { ip -4 route show; ip -6 route show; } 2>/dev/null | grep -Ev ' (proto kernel|scope link)' | grep -q " dev $1 "; }
stray | while read -r name; do
  i=0
  while used "$name" && [ $i -lt 100 ]; do i=$((i+1)); sleep 0.1; done
  ip link delete "$name" 2>/dev/null
done
${strayNames(config).chains === NOTHING ? '' : REMOVE_CHAINS}tables | while read -r family name; do nft delete table "$family" "$name"; done
sets | while read -r name; do ipset destroy "$name"; done
exit 0
`;

/** `interface flannel.1` and the like as one sentence. */
function describe(lines: readonly string[]): string {
  const words = lines.map((line) => {
    const [kind, name = '', count = ''] = line.split(' ');
    if (kind === 'chains') return `${count} rules and chains of ${name}`;
    if (kind === 'table') return `nft table ${name} ${count}`;
    return `${kind === 'set' ? 'ipset' : kind} ${name}`;
  });
  return words.join(', ');
}

export const retireNetwork = defineHostPhase({
  name: 'network/retire',
  summary: 'what a former backend of flannel or a former mode of kube-proxy left on the nodes',
  target: 'nodes',
  needs: [NETWORK_CURRENT, ENDPOINT_ADOPTED],
  provides: [],
  runIf: ({ config }) => config.spec.network.plugin === 'flannel' || config.cluster.proxy.disabled !== true,
  observe: ({ config }) => ({ probes: { stray: strayProbe(config) } }),
  plan: (_context, _host, seen) => {
    const lines = (seen.probes.get('stray')?.stdout ?? '').split('\n').filter((line) => line !== '');
    if (lines.length === 0) return verdictOf([]);
    const change: ActionChange = {
      kind: 'action',
      name: 'remove',
      summary: `remove ${describe(lines)}: not used any more`,
    };
    return { standing: 'drifted', reasons: [`left over: ${describe(lines)}`], changes: [change] };
  },
  actions: {
    remove: async ({ config }, host) => {
      await host.script({ name: 'network/remove-stray', text: removeStray(config) }, { timeoutMs: 120_000 });
    },
  },
});
