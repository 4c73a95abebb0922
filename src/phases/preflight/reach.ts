import { canonicalAddress } from '../../config/cidr.js';
import { memberAddress, memberSettings } from '../../config/inventory.js';
import { quote } from '../../host/quote.js';
import type { ReadRequest, ReadResult } from '../../host/types.js';
import { error, type Outcome, ok, type Subject, warning } from './check.js';
import { echoPayload, interfaceMtu, largestPacket, overheadOf } from './mtu.js';
import { endpointOf } from './names.js';

/** Beside all control planes and hosts of role etcd, so many next hosts of the inventory are tried from each host. */
const NEIGHBOURS = 4;
/** Seconds until a connection counts as dropped by a firewall. */
const TIMEOUT_S = 2;

/** A connection that the cluster needs. */
interface Flow {
  /** Host in the inventory, or the endpoint's name. */
  to: string;
  address: string;
  port: number;
  /** What uses it; null where it only tells whether packets come through at all. */
  use: string | null;
}

/** open and refused both mean that packets come through. */
type Answer = 'open' | 'refused' | 'timeout' | 'unreachable' | 'unknown';
/** Echo requests of full size come through, only small ones, none; or there is no ping. */
type Echo = 'full' | 'small' | 'none' | 'unknown';

function neighbours(from: Subject, all: readonly Subject[]): Subject[] {
  const at = all.indexOf(from);
  const ring = [...all.slice(at + 1), ...all.slice(0, at)];
  return ring
    .filter((to, index) => index < NEIGHBOURS || to.host.role !== 'worker')
    .filter((to) => !(from.member && to.member));
}

/** Connections of a host to try: none between two that are members already. */
export function flowsOf(from: Subject, all: readonly Subject[]): Flow[] {
  const planes = from.host.role === 'control-plane';
  const flows = neighbours(from, all).flatMap((to): Flow[] => {
    const api = to.host.localAPIEndpoint;
    const result: Flow[] = [];
    const add = (address: string, port: number, use: string | null) =>
      result.push({ to: to.host.name, address, port, use });
    if (api !== null && from.host.role !== 'etcd') add(api.advertiseAddress, api.bindPort, 'the API server');
    const { cluster } = from.config;
    if (memberSettings(cluster, to.host) !== undefined) {
      if (memberSettings(cluster, from.host) !== undefined) add(memberAddress(to.host), 2380, 'etcd');
      else if (planes) add(memberAddress(to.host), 2379, 'etcd');
    }
    // The kubelet of a host of role etcd is nobody else's.
    const node = to.host.role !== 'etcd' && from.host.role !== 'etcd';
    if (node && (planes || api === null)) add(to.host.nodeIP, 10250, planes ? 'the kubelet' : null);
    return result;
  });
  const endpoint = endpointOf(from);
  if (!from.member && from.host.role !== 'etcd' && !isKeelsons(from) && !isHost(endpoint.host, all))
    flows.push({ to: endpoint.host, address: endpoint.host, port: endpoint.port, use: 'the API endpoint' });
  return flows;
}

/** keelson puts the endpoint up itself, and then asks for it from every host. */
function isKeelsons({ config: { spec } }: Subject): boolean {
  return spec.endpoint !== null && spec.endpoint.provider !== 'external';
}

function isHost(address: string, all: readonly Subject[]): boolean {
  const wanted = canonicalAddress(address);
  return all.some(({ host }) =>
    [host.nodeIP, host.localAPIEndpoint?.advertiseAddress].some(
      (own) => own !== undefined && canonicalAddress(own) === wanted,
    ),
  );
}

/** Everything is tried at once; a connection is opened and closed, nothing is sent. */
const SCRIPT = `tcp() {
  said=$(timeout ${TIMEOUT_S} bash -c 'exec 3<>"/dev/tcp/$1/$2"' x "$2" "$3" 2>&1); code=$?
  case "$code $said" in
    0*) answer=open ;;
    124*|143*) answer=timeout ;;
    *refused*) answer=refused ;;
    *'No route'*|*unreachable*) answer=unreachable ;;
    *) answer=unknown ;;
  esac
  printf 'tcp %s %s %s\\n' "$1" "$3" "$answer"
}
echo_to() {
  if ! command -v ping >/dev/null; then answer=unknown
  elif [ -n "$3" ] && ping -n -q -c 1 -W 1 -M do -s "$3" "$2" >/dev/null 2>&1; then answer=full
  elif ping -n -q -c 1 -W 1 "$2" >/dev/null 2>&1; then answer=small
  else answer=none; fi
  printf 'echo %s %s\\n' "$1" "$answer"
}
`;

/** What to ask `from` for in the second round trip; null where there is nothing to try. */
export function reachRequest(from: Subject, all: readonly Subject[]): ReadRequest | null {
  const packet = largestPacket(from);
  const size = packet === null ? '' : String(echoPayload(from, packet));
  const lines = [
    ...flowsOf(from, all).map((flow) => `tcp ${quote([flow.to, flow.address, String(flow.port)])} &`),
    ...neighbours(from, all).map(({ host }) => `echo_to ${quote([host.name, host.nodeIP, size])} &`),
  ];
  if (lines.length === 0) return null;
  return { probes: { reach: `${SCRIPT}${lines.join('\n')}\nwait` } };
}

/** What the answers of `from` mean. `seen` is null where nothing was tried. */
export function judgeReach(from: Subject, all: readonly Subject[], seen: ReadResult | null): Outcome[] {
  const { answers, echoes } = parse(seen?.probes.get('reach')?.stdout ?? '');
  return [
    ...flowsOf(from, all).map((flow) => flowOutcome(from, flow, answers, echoes)),
    ...mtuOutcomes(from, all, echoes),
  ];
}

function parse(text: string): { answers: Map<string, Answer>; echoes: Map<string, Echo> } {
  const answers = new Map<string, Answer>();
  const echoes = new Map<string, Echo>();
  for (const line of text.split('\n')) {
    const [kind, to = '', a = '', b = ''] = line.split(' ');
    if (kind === 'tcp') answers.set(`${to} ${a}`, b as Answer);
    if (kind === 'echo') echoes.set(to, a as Echo);
  }
  return { answers, echoes };
}

function flowOutcome(
  from: Subject,
  flow: Flow,
  answers: ReadonlyMap<string, Answer>,
  echoes: ReadonlyMap<string, Echo>,
): Outcome {
  const name = flow.use?.startsWith('the API') ? 'EndpointReachable' : 'HostReachable';
  const answer = answers.get(`${flow.to} ${flow.port}`) ?? 'unknown';
  const place = `${flow.to}${flow.to === flow.address ? '' : ` (${flow.address})`}`;
  if (answer === 'unknown') return ok(name, `connections to ${place} were not tried`);
  if (answer === 'open' || answer === 'refused') return ok(name, `port ${flow.port} of ${place} is reached`);
  const how = answer === 'timeout' ? `no answer within ${TIMEOUT_S} s` : 'no route to host';
  if (flow.use === null) {
    const echo = echoes.get(flow.to);
    if (echo === 'full' || echo === 'small') return ok(name, `${place} is reached`);
    const remedy = 'check routes and firewalls between the hosts: pods talk over them';
    return warning(name, `${place} is not reached: ${how}`, remedy);
  }
  const message = `${flow.use} on port ${flow.port} of ${place} is not reached: ${how}`;
  const remedy = `open TCP port ${flow.port} from ${from.host.name}, check routes and security groups`;
  // A virtual address may come up with the control plane only.
  const early = flow.use === 'the API endpoint' && !from.clusterExists;
  // A firewall of the host itself is opened before anything needs it.
  const opened = from.config.spec.preparation.firewall === 'open';
  return early || opened ? warning(name, message, remedy) : error(name, message, remedy);
}

function mtuOutcomes(from: Subject, all: readonly Subject[], echoes: ReadonlyMap<string, Echo>): Outcome[] {
  const name = 'MTU';
  const own = interfaceMtu(from);
  const packet = largestPacket(from);
  if (own === null || packet === null) return [];
  const overhead = overheadOf(from);
  if (packet > own) {
    const message = `the interface of ${from.host.nodeIP} carries ${own} bytes, network.mtu with ${overhead} bytes for the tunnel is ${packet}`;
    return [error(name, message, `set network.mtu to ${own - overhead} or less, or leave it out`)];
  }
  const narrow = [...echoes].filter(([, echo]) => echo === 'small').map(([to]) => to);
  if (narrow.length > 0) {
    const message = `packets of ${packet} bytes don't come through to ${narrow.join(', ')}`;
    const remedy = `lower the interface's MTU to what the path carries, or set network.mtu (${overhead} bytes less)`;
    return [error(name, message, remedy)];
  }
  const untried = neighbours(from, all).filter((to) => echoes.get(to.host.name) !== 'full');
  const other = untried.find((to) => (interfaceMtu(to) ?? own) !== own);
  if (other !== undefined) {
    const message = `the interface's MTU is ${own}, that of ${other.host.name} ${interfaceMtu(other)}`;
    return [warning(name, message, 'give all hosts the same MTU')];
  }
  return [ok(name, `${packet} bytes`)];
}
