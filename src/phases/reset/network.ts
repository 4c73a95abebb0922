import type { ActionChange } from '../../engine/types.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { COUNT_CHAINS, networkFinders, REMOVE_CHAINS } from '../network-finders.js';
import { NETWORK_GONE, PODS_GONE } from './artefacts.js';
import { leftover } from './leftover.js';

const FINDERS = networkFinders({
  interfaces:
    'cni0|flannel.*|flannel-v6.*|flannel-wg|flannel-wg-v6|kube-ipvs0|nodelocaldns|cali*|vxlan.calico|vxlan-v6.calico|wireguard.cali|wg-v6.cali',
  bridged: true,
  chains: '^(KUBE-|CNI-|FLANNEL-|cali-)',
  rules: '--comment "cali:',
  tables: 'kube-proxy|flannel-ipv4|flannel-ipv6|calico|cni_hostport|cni_plugins_masquerade',
  sets: '^(KUBE-|cali[46]0)',
});

/** Lines `interface NAME`, `route …`, `chains TOOL N`, `table …`, `set NAME`. */
export const NETWORK_PROBE = `${FINDERS}
interfaces | sed 's/^/interface /'
routes | sed 's/^/route /'
${COUNT_CHAINS}tables | sed 's/^/table /'
sets | sed 's/^/set /'
true`;

/**
 * Each table of iptables changes as a whole. Tables of iptables-nft that are empty afterwards are deleted: they
 * do nothing, and were made by those who made the chains.
 */
export const REMOVE_NETWORK = `${FINDERS}
subnets=$1
${REMOVE_CHAINS}tables | while read -r family name; do nft delete table "$family" "$name"; done
for family in ip ip6; do
  for name in raw mangle nat filter; do
    nft list table "$family" "$name" 2>/dev/null | awk '
      { seen = 1 }
      !/^(#.*|table .*|[ \\t]*chain .*|[ \\t]*type .* policy accept;|[ \\t]*}|[ \\t]*)$/ { full = 1 }
      END { exit !(seen && !full) }' && nft delete table "$family" "$name"
  done
done
sets | while read -r name; do ipset destroy "$name"; done
interfaces | while read -r name; do ip link delete "$name" 2>/dev/null; done
routes | while read -r family destination rest; do
  case $destination in
    blackhole|unreachable|prohibit) ip "$family" route delete "$destination" "\${rest%% *}" ;;
    *) ip "$family" route delete "$destination" ;;
  esac
done
exit 0
`;

const subnetsOf = ({ config }: PhaseContext) => config.cluster.networking.podSubnet ?? '';

export const removeNetwork = defineHostPhase({
  name: 'reset/network',
  summary: 'interfaces, routes, iptables chains and ipsets of kube-proxy and the network removed',
  target: 'all',
  needs: [PODS_GONE],
  provides: [NETWORK_GONE],
  observe: (context) => ({
    probes: {
      network: `subnets='${subnetsOf(context).replaceAll(/[^0-9a-fA-F:./,]/g, '')}'\n${NETWORK_PROBE}`,
    },
  }),
  plan: (_context, _host, seen) => {
    const lines = (seen.probes.get('network')?.stdout ?? '').split('\n').filter((line) => line !== '');
    if (lines.length === 0) return leftover([]);
    const change: ActionChange = {
      kind: 'action',
      name: 'remove',
      summary: `remove ${describeNetwork(lines)}`,
      disrupts: true,
    };
    return leftover([change]);
  },
  actions: {
    remove: async (context, host) => {
      await host.script(
        { name: 'reset/network', text: REMOVE_NETWORK, args: [subnetsOf(context)] },
        { timeoutMs: 120_000 },
      );
    },
  },
});

function describeNetwork(lines: readonly string[]): string {
  const of = (kind: string) =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  const [interfaces, routes, chains] = [of('interface'), of('route'), of('chains')];
  const [tables, sets] = [of('table'), of('set')];
  return [
    interfaces.length === 0 ? '' : `interfaces ${interfaces.join(', ')}`,
    routes.length === 0 ? '' : `${routes.length} ${routes.length === 1 ? 'route' : 'routes'} to pods`,
    ...chains.map((line) => `${line.split(' ')[1]} rules and chains of ${line.split(' ')[0]}`),
    tables.length === 0 ? '' : `nft tables ${tables.join(', ')}`,
    sets.length === 0 ? '' : `${sets.length} ipsets`,
  ]
    .filter((part) => part !== '')
    .join('; ');
}
