import type { ClusterConfig, NetworkSpec, ResolvedHost } from '../config/types.js';
import { quote } from '../host/quote.js';
import { balancedOn } from '../manifests/endpoint/haproxy.js';
import { virtualOn } from '../manifests/endpoint/keepalived.js';

/** What has to get through a host's firewall. */
export interface Openings {
  /** `6443/tcp`, `2379-2380/tcp`: from everywhere. */
  ports: string[];
  /** Protocols that have no ports: `vrrp`. ufw knows it from 0.36.2 on. */
  protocols: string[];
  /** Networks of pods, whose packets pass and are forwarded whatever the port. */
  networks: string[];
}

/** Kubernetes' default (pkg/kubeapiserver/options: DefaultServiceNodePortRange). */
const NODE_PORTS = '30000-32767';

/**
 * What a host of its role needs open, as Kubernetes documents its ports, VXLAN where the network has it, and what
 * the endpoint has on the host.
 */
export function openingsOf(config: ClusterConfig, host: ResolvedHost): Openings {
  const { cluster, spec } = config;
  if (host.role === 'etcd') return { ports: ['2379-2380/tcp'], protocols: [], networks: [] };
  const { networking, apiServer, etcd, proxy } = cluster;
  const range = apiServer.extraArgs?.findLast(({ name }) => name === 'service-node-port-range')?.value;
  const nodePorts = (range ?? NODE_PORTS).replace(/^(\d+)\+(\d+)$/, (_text, first, size) => {
    return `${first}-${Number(first) + Number(size)}`;
  });
  const api = host.localAPIEndpoint;
  return {
    ports: [
      ...(api === null ? [] : [`${api.bindPort}/tcp`]),
      ...(api === null || etcd.local === undefined ? [] : ['2379-2380/tcp']),
      ...balancerPorts(config, host),
      '10250/tcp',
      ...(proxy.disabled === true ? [] : ['10256/tcp']),
      ...networkPorts(spec.network),
      `${nodePorts}/tcp`,
      `${nodePorts}/udp`,
    ],
    protocols: virtualOn(config, host) === null ? [] : ['vrrp'],
    networks: networking.podSubnet?.split(',').map((subnet) => subnet.trim()) ?? [],
  };
}

/** A load balancer on the loopback interface needs none. */
function balancerPorts(config: ClusterConfig, host: ResolvedHost): string[] {
  const balanced = balancedOn(config, host);
  if (balanced === null || (balanced.provider === 'node-local' && !balanced.expose)) return [];
  return [`${balanced.port}/tcp`];
}

/** Calico's default port for VXLAN (FelixConfiguration.vxlanPort), and BGP's. */
const CALICO_VXLAN = '4789/udp';
const BGP = '179/tcp';

/** Ports of tunnels and of BGP: wireguard's second one is for IPv6; IPIP has none, and is a protocol of its own. */
function networkPorts(network: NetworkSpec): string[] {
  if (network.plugin === 'calico') {
    const { mode } = network;
    return [
      ...(mode === 'vxlan' ? [] : [BGP]),
      ...(mode === 'vxlan' || mode === 'mixed' ? [CALICO_VXLAN] : []),
    ];
  }
  if (network.plugin !== 'flannel' || network.backend === 'host-gw') return [];
  const { backend, port } = network;
  return backend === 'vxlan' ? [`${port}/udp`] : [`${port}/udp`, `${port + 1}/udp`];
}

/** `firewalld` or `ufw` with what it lets through; nothing where neither is at work. Only firewalld's probe takes
 * time, and only where it runs. Sections are `# name`. */
export const firewallProbe = (nodeIP: string) => `LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
if [ "$(systemctl is-active firewalld.service 2>/dev/null)" = active ]; then
  interface=$(ip -o address show to ${quote([nodeIP])} 2>/dev/null | sed -n '1s/^[0-9]*: *\\([^ @:]*\\).*/\\1/p')
  zone=$(firewall-cmd --get-zone-of-interface="$interface" 2>/dev/null) || zone=$(firewall-cmd --get-default-zone)
  echo "firewalld $zone"
  echo '# now'; firewall-cmd --zone="$zone" --list-all
  echo '# later'; firewall-cmd --permanent --zone="$zone" --list-all
  echo '# trusted now'; firewall-cmd --zone=trusted --list-sources
  echo '# trusted later'; firewall-cmd --permanent --zone=trusted --list-sources
elif grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf && command -v ufw >/dev/null; then
  echo ufw
  ufw show added
fi
true`;

export interface FirewallState {
  kind: 'firewalld' | 'ufw';
  /** Command lines that open what is closed, in order; none where all is open. */
  commands: string[][];
  /** What is closed, for people. */
  closed: string[];
}

/** What the probe printed; null where no firewall is at work that keelson knows. */
export function firewallState(stdout: string, wanted: Openings): FirewallState | null {
  const [first = '', ...lines] = stdout.split('\n');
  const [kind, zone = ''] = first.trim().split(' ');
  if (kind === 'firewalld') return firewalldState(zone, lines, wanted);
  return kind === 'ufw' ? ufwState(lines, wanted) : null;
}

function firewalldState(zone: string, lines: readonly string[], wanted: Openings): FirewallState {
  const sections = new Map<string, string[]>();
  let current = '';
  for (const line of lines) {
    const section = /^# (.+)$/.exec(line)?.[1];
    if (section !== undefined) current = section;
    else sections.set(current, [...(sections.get(current) ?? []), line]);
  }
  const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');
  const field = (section: string, name: string) =>
    (sections.get(section) ?? []).flatMap((line) => {
      const [key, value = ''] = line.trim().split(/:(.*)/);
      return key === name ? words(value) : [];
    });
  const commands: string[][] = [];
  const closed = new Set<string>();
  for (const [when, flags] of [
    ['now', []],
    ['later', ['--permanent']],
  ] as const) {
    const accepts = field(when, 'target').includes('ACCEPT');
    const open = field(when, 'ports');
    const ports = accepts ? [] : wanted.ports.filter((port) => !open.some((known) => covers(known, port)));
    const known = field(when, 'protocols');
    const protocols = accepts ? [] : wanted.protocols.filter((protocol) => !known.includes(protocol));
    const sources = words((sections.get(`trusted ${when}`) ?? []).join(' '));
    const networks = wanted.networks.filter((network) => !sources.includes(network));
    const opened = [
      ...ports.map((port) => `--add-port=${port}`),
      ...protocols.map((protocol) => `--add-protocol=${protocol}`),
    ];
    if (opened.length > 0) commands.push(['firewall-cmd', ...flags, `--zone=${zone}`, ...opened]);
    if (networks.length > 0)
      commands.push([
        'firewall-cmd',
        ...flags,
        '--zone=trusted',
        ...networks.map((net) => `--add-source=${net}`),
      ]);
    for (const item of [...ports, ...protocols, ...networks]) closed.add(item);
  }
  return { kind: 'firewalld', commands, closed: [...closed] };
}

/** Whether a range of ports (`2000-3000/tcp`) has another in it. */
function covers(open: string, wanted: string): boolean {
  const parse = (text: string) => {
    const [, first = '', last = first, protocol = ''] = /^(\d+)(?:-(\d+))?\/(\w+)$/.exec(text) ?? [];
    return { first: Number(first), last: Number(last), protocol };
  };
  const [a, b] = [parse(open), parse(wanted)];
  return a.protocol !== '' && a.protocol === b.protocol && a.first <= b.first && a.last >= b.last;
}

function ufwState(lines: readonly string[], wanted: Openings): FirewallState {
  const rules = [
    ...wanted.ports.map((port) => ({ opens: port, words: ['allow', port.replace('-', ':')] })),
    ...wanted.protocols.map((protocol) => ({
      opens: protocol,
      words: ['allow', 'to', 'any', 'proto', protocol],
    })),
    ...wanted.networks.flatMap((network) => [
      { opens: network, words: ['allow', 'from', network] },
      { opens: network, words: ['route', 'allow', 'from', network] },
      { opens: network, words: ['route', 'allow', 'to', network] },
    ]),
  ];
  const there = new Set(lines.map((line) => line.trim().replace(/ comment '.*'$/, '')));
  // `ufw allow 6443` is both protocols.
  const either = (words: readonly string[]) => `ufw ${words.join(' ').replace(/\/(tcp|udp)$/, '')}`;
  const missing = rules.filter(
    ({ words }) => !there.has(`ufw ${words.join(' ')}`) && !there.has(either(words)),
  );
  return {
    kind: 'ufw',
    commands: missing.map(({ words }) => ['ufw', ...words]),
    closed: [...new Set(missing.map(({ opens }) => opens))],
  };
}
