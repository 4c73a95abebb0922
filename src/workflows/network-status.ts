import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { nodeHosts } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import { toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { FLANNEL_CONFIG_MAP, FLANNEL_NAMESPACE, flannelNetConf } from '../manifests/flannel.js';
import { flannelSwitch } from '../phases/network/consequences.js';
import { clusterApi } from './cluster-api.js';
import { type FlannelFindings, type FlannelNode, judgeFlannel } from './network/flannel.js';
import { networkRequest, type SeenNetwork, seenNetwork } from './network/see.js';
import type { Session } from './session.js';
import { type Ask, asker } from './verify/ask.js';
import { nodeOf, nodeProblem, podProblem, readyPod } from './verify/pods.js';

export interface NodeNetwork {
  host: string;
  /** flannel's backend as the node announces it; '' where the plugin is another one. */
  backend: string;
  /** Ranges of the node's pods. */
  blocks: readonly string[];
  /** MTU that new pods get; null where the plugin does not say. */
  mtu: number | null;
  /** To other nodes' pods; null where it is not known what they have to be. */
  routes: { expected: number; found: number } | null;
  /** Entries of VXLAN's forwarding table; null for networks without. */
  forwarding: { expected: number; found: number } | null;
  /** kube-proxy's mode as it says itself; null where it does not answer or is disabled. */
  proxyMode: string | null;
  problems: string[];
  notes: string[];
}

export interface NetworkStatus {
  cluster: string;
  plugin: string;
  /** Nothing is otherwise than it should be. */
  ok: boolean;
  /** Of the cluster as a whole; those of a node stand there. */
  problems: string[];
  nodes: NodeNetwork[];
}

/** Milliseconds for kube-proxy to answer on its own node. */
const PROXY_TIMEOUT_MS = 3000;
/** kube-proxy's default for its metrics (pkg/cluster/ports: ProxyStatusPort). */
const PROXY_STATUS_PORT = 10249;
const ANNOTATION = 'flannel.alpha.coreos.com';

/**
 * The pod network as the kernels of all nodes have it, compared with what they should have. Readiness does not say
 * as much: a node is Ready, and so is flannel's pod, with routes gone. Reads only. Give it a tolerant session.
 * @throws CONFLICT where there is no cluster yet; CONNECTION
 */
export async function networkStatus(session: Session): Promise<NetworkStatus> {
  const { context } = session;
  const { config } = context;
  const client = await clusterApi(session);
  const cluster = await lookAtCluster(client, config);
  const ask = asker(context.signal);
  const nodes = await Promise.all(
    nodeHosts(config).map(async (host): Promise<NodeNetwork> => {
      const reader = session.hosts.get(host.name);
      const failure = session.failures.get(host.name)?.message ?? 'not connected';
      if (reader === undefined) return unreachable(host, cluster, `can't be reached: ${failure}`);
      try {
        const [seen, mode] = await Promise.all([
          reader.read(networkRequest(config), { signal: context.signal }),
          proxyMode(config, reader, ask),
        ]);
        return nodeNetwork(session, host, cluster, seenNetwork(seen), mode);
      } catch (error) {
        context.signal.throwIfAborted();
        return unreachable(host, cluster, toKeelsonError(error).message);
      }
    }),
  );
  const { plugin } = config.spec.network;
  const ok = cluster.problems.length === 0 && nodes.every((node) => node.problems.length === 0);
  return { cluster: config.name, plugin, ok, problems: cluster.problems, nodes };
}

interface ClusterView {
  nodes: readonly KubeObject[];
  /** flannel's pods. */
  pods: readonly KubeObject[];
  problems: string[];
}

async function lookAtCluster(client: ClusterClient, config: ClusterConfig): Promise<ClusterView> {
  if (config.spec.network.plugin !== 'flannel')
    return { nodes: await client.list('/api/v1/nodes'), pods: [], problems: [] };
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: FLANNEL_NAMESPACE,
    name: FLANNEL_CONFIG_MAP,
  };
  const [nodes, pods, live] = await Promise.all([
    client.list('/api/v1/nodes'),
    client.list(`/api/v1/namespaces/${FLANNEL_NAMESPACE}/pods?labelSelector=app%3Dflannel`),
    client.get(configMap),
  ]);
  const before = (live?.data as Record<string, string> | undefined)?.['net-conf.json'];
  const step = flannelSwitch(before, flannelNetConf(config));
  const problems =
    live === null
      ? ['flannel is not installed: run keelson apply']
      : step === null
        ? []
        : [`the cluster is not what its file says (${step.title}): run keelson apply`];
  return { nodes, pods, problems };
}

function nodeNetwork(
  { context }: Session,
  host: ResolvedHost,
  view: ClusterView,
  seen: SeenNetwork,
  mode: string | null,
): NodeNetwork {
  const { config } = context;
  const { network } = config.spec;
  const name = host.nodeRegistration.name;
  const node = view.nodes.find((candidate) => candidate.metadata.name === name);
  const unready = nodeProblem(node);
  const problems = [
    ...(unready === null ? [] : [`the node is not Ready: ${unready}`]),
    ...proxyProblems(config, mode),
  ];
  const base = { host: host.name, backend: '', blocks: blocksOf(node), proxyMode: mode };
  if (network.plugin !== 'flannel' || node === undefined) {
    const cni = seen.cni.length > 0 ? [] : ['there is no CNI configuration'];
    const unknown = { mtu: null, routes: null, forwarding: null, notes: [] };
    return { ...base, ...unknown, problems: [...problems, ...cni, ...strays(seen)] };
  }
  const findings: FlannelFindings = judgeFlannel({
    network,
    podSubnets: config.cluster.networking.podSubnet?.split(',') ?? [],
    self: flannelNode(node),
    peers: view.nodes.filter((other) => other !== node).map(flannelNode),
    seen,
    facts: context.facts.get(host.name),
  });
  const pod = podOn(view, name);
  return {
    ...base,
    ...findings,
    backend: flannelNode(node).backend,
    problems: [...problems, ...pod, ...findings.problems],
  };
}

const strays = (seen: SeenNetwork): string[] =>
  seen.stray.map((line) => `left over of a former network: ${line}`);

function blocksOf(node: KubeObject | undefined): string[] {
  return (node?.spec as { podCIDRs?: string[] } | undefined)?.podCIDRs ?? [];
}

/** What is wrong with flannel's pod on a node; a node is Ready all the same while it crashes. */
function podOn({ pods }: ClusterView, node: string): string[] {
  const pod = pods.find((candidate) => nodeOf(candidate) === node);
  if (pod !== undefined && readyPod(pod, node) !== null) return [];
  return [`flannel is not Ready there: ${podProblem(pod)}`];
}

function flannelNode(node: KubeObject): FlannelNode {
  const said = (name: string) => node.metadata.annotations?.[`${ANNOTATION}/${name}`] ?? '';
  const mac = (name: string): string => {
    const data = said(name);
    try {
      return (JSON.parse(data) as { VtepMAC?: string } | null)?.VtepMAC ?? '';
    } catch {
      return '';
    }
  };
  return {
    name: node.metadata.name,
    podCIDRs: blocksOf(node),
    backend: said('backend-type'),
    publicIP: { 4: said('public-ip'), 6: said('public-ipv6') },
    vtepMAC: { 4: mac('backend-data'), 6: mac('backend-v6-data') },
  };
}

/** kube-proxy's port for its own state, on the loopback interface unless told otherwise. */
function statusPort({ kubeProxy }: ClusterConfig): number {
  const address = typeof kubeProxy.metricsBindAddress === 'string' ? kubeProxy.metricsBindAddress : '';
  const port = Number(/:(\d+)$/.exec(address)?.[1] ?? Number.NaN);
  return Number.isNaN(port) ? PROXY_STATUS_PORT : port;
}

async function proxyMode(config: ClusterConfig, host: HostReader, ask: Ask): Promise<string | null> {
  if (config.cluster.proxy.disabled === true) return null;
  const target = { address: '127.0.0.1', port: statusPort(config), path: '/proxyMode' };
  return ask(host, target, PROXY_TIMEOUT_MS).then(
    ({ status, body }) => (status === 200 ? body.trim() : null),
    () => null,
  );
}

function proxyProblems(config: ClusterConfig, mode: string | null): string[] {
  if (config.cluster.proxy.disabled === true) return [];
  const wanted = String(config.kubeProxy.mode ?? '') || 'iptables';
  if (mode === null)
    return [`kube-proxy does not say its mode (port ${statusPort(config)} of the loopback interface)`];
  return mode === wanted ? [] : [`kube-proxy runs in mode ${mode} instead of ${wanted}`];
}

function unreachable(host: ResolvedHost, { nodes }: ClusterView, problem: string): NodeNetwork {
  const node = nodes.find((candidate) => candidate.metadata.name === host.nodeRegistration.name);
  return {
    host: host.name,
    backend: node === undefined ? '' : flannelNode(node).backend,
    blocks: blocksOf(node),
    mtu: null,
    routes: null,
    forwarding: null,
    proxyMode: null,
    problems: [problem],
    notes: [],
  };
}
