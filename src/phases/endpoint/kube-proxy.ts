import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { kubeProxyConfigMap } from '../../manifests/kube-proxy.js';
import { ADDONS, ENDPOINT, ENDPOINT_ADOPTED } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'kube-proxy' };
const PODS = '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-proxy';
const KUBECONFIG = 'kubeconfig.conf';
const CONFIG = 'config.conf';

/** Milliseconds for one node's kube-proxy to stop and to start. */
const DEADLINE_MS = 90_000;

/** A running kube-proxy. */
interface Proxy {
  pod: string;
  node: string;
  /** Milliseconds since the epoch, whole seconds. */
  created: number;
}

/** kube-proxies that are ready: those of dead nodes are nobody's concern until the nodes are back. */
async function running(client: ClusterClient): Promise<Proxy[]> {
  return (await client.list(PODS)).filter(isReady).map((pod) => ({
    pod: pod.metadata.name,
    node: String((pod.spec as { nodeName?: string } | undefined)?.nodeName ?? ''),
    created: Date.parse(String(pod.metadata.creationTimestamp)),
  }));
}

function isReady(pod: KubeObject): boolean {
  const status = pod.status as { conditions?: { type: string; status: string }[] } | undefined;
  return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

/** When keelson last changed the ConfigMap: server-side apply that changes nothing leaves the time alone. */
function changedAt(configMap: KubeObject): number {
  const entries = (configMap.metadata.managedFields ?? []) as { manager?: string; time?: string }[];
  return Date.parse(entries.find((entry) => entry.manager === 'keelson')?.time ?? '');
}

/** Those that are older than their configuration, which kube-proxy reads only when it starts. */
async function outdated(client: ClusterClient): Promise<Proxy[]> {
  const [configMap, proxies] = await Promise.all([client.get(CONFIG_MAP), running(client)]);
  if (configMap === null) return [];
  const since = changedAt(configMap);
  return proxies.filter(({ created }) => created < since);
}

export const endpointKubeProxy = defineClusterPhase({
  name: 'endpoint/kube-proxy',
  summary: 'kube-proxy started anew, node by node, after its configuration changed',
  target: 'cluster',
  needs: [ADDONS, ENDPOINT],
  provides: [ENDPOINT_ADOPTED],
  runIf: ({ config }) => config.cluster.proxy.disabled !== true,
  check: async (context) => {
    const found = await drift(context);
    if (found === null) return { standing: 'satisfied', reasons: [], changes: [] };
    const { reason, consequence } = found;
    const summary = `restart kube-proxy node by node; ${consequence}`;
    return {
      standing: 'drifted',
      reasons: [reason],
      changes: [{ kind: 'action', name: 'restart', summary }],
    };
  },
  actions: { restart },
});

interface Drift {
  reason: string;
  /** What a restart means for what runs. */
  consequence: string;
}

const GO_ON = 'Services go on meanwhile';

/** kube-proxy's mode in its configuration; the empty one is iptables. */
function modeOf(configuration: string | undefined): string {
  const mode = /^mode: *"?([a-z]*)"?$/m.exec(configuration ?? '')?.[1];
  return mode === undefined || mode === '' ? 'iptables' : mode;
}

/** Why kube-proxies have to start anew, or will have to once the ConfigMap is right; null where they need not. */
async function drift(context: PhaseContext): Promise<Drift | null> {
  const client = context.api();
  if (client === null) return null;
  try {
    const [configMap, proxies] = await Promise.all([client.get(CONFIG_MAP), running(client)]);
    if (configMap === null || proxies.length === 0) return null;
    const live = (configMap.data ?? {}) as Record<string, string>;
    const wanted = kubeProxyConfigMap(context.config).data ?? {};
    const [from, to] = [modeOf(live[CONFIG]), modeOf(wanted[CONFIG])];
    if (from !== to) {
      const consequence = `each takes the rules of mode ${from} away before it makes those of ${to}, so that new connections to Services fail on that node for a moment; those that are open go on`;
      return { reason: `its mode is ${from} instead of ${to}`, consequence };
    }
    if (live[KUBECONFIG] !== wanted[KUBECONFIG])
      return { reason: 'its kubeconfig has another server', consequence: GO_ON };
    if (live[CONFIG] !== wanted[CONFIG])
      return { reason: 'its configuration is another one', consequence: GO_ON };
    const nodes = (await outdated(client)).map(({ node }) => node);
    if (nodes.length === 0) return null;
    return {
      reason: `kube-proxy is older than its configuration on ${nodes.join(', ')}`,
      consequence: GO_ON,
    };
  } catch (error) {
    // Before the first start there is nothing that could answer.
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return null;
    throw error;
  }
}

async function restart(context: PhaseContext): Promise<void> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to restart kube-proxy with');
  for (const { pod, node } of await outdated(client)) {
    await client.remove({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: pod });
    await waitUntil(
      async () => {
        const found = (await running(client)).some((proxy) => proxy.node === node && proxy.pod !== pod);
        return { met: found, state: 'not ready yet' };
      },
      {
        for: `kube-proxy on ${node}`,
        deadlineMs: DEADLINE_MS,
        signal: context.signal,
        hint: 'kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide, and the logs of the one on this node',
      },
    );
  }
}
