import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { SATISFIED } from '../../engine/phase.js';
import type { ActionChange } from '../../engine/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import {
  FLANNEL_CONFIG_ANNOTATION,
  FLANNEL_CONFIG_MAP,
  FLANNEL_NAMESPACE,
  flannelConfigDigest,
  flannelNetConf,
} from '../../manifests/flannel.js';
import { NETWORK_APPLIED, NETWORK_CURRENT, NODES } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { flannelSwitch } from './consequences.js';

const PODS = `/api/v1/namespaces/${FLANNEL_NAMESPACE}/pods?labelSelector=app%3Dflannel`;
const CONFIG_MAP = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: FLANNEL_NAMESPACE,
  name: FLANNEL_CONFIG_MAP,
};

/** Milliseconds for flannel's pods to stop, start and be Ready. */
const DEADLINE_MS = 120_000;

interface Condition {
  type: string;
  status: string;
}

const holds = (object: KubeObject, type: string): boolean =>
  ((object.status as { conditions?: Condition[] } | undefined)?.conditions ?? []).some(
    (condition) => condition.type === type && condition.status === 'True',
  );

const nodeOf = (pod: KubeObject): string =>
  String((pod.spec as { nodeName?: string } | undefined)?.nodeName ?? '');

const digestOf = (pod: KubeObject): string | undefined =>
  pod.metadata.annotations?.[FLANNEL_CONFIG_ANNOTATION];

/** Nodes that are up and whose flannel has another configuration, or none any more. */
async function outdated(client: ClusterClient, digest: string): Promise<string[]> {
  const [pods, nodes] = await Promise.all([client.list(PODS), client.list('/api/v1/nodes')]);
  const old = new Set(pods.filter((pod) => digestOf(pod) !== digest).map(nodeOf));
  return nodes.filter((node) => holds(node, 'Ready') && old.has(node.metadata.name)).map(nameOf);
}

/** Nodes that are up and whose flannel does not serve with the wanted configuration. */
async function pending(client: ClusterClient, digest: string): Promise<string[]> {
  const [pods, nodes] = await Promise.all([client.list(PODS), client.list('/api/v1/nodes')]);
  const serving = new Set(pods.filter((pod) => digestOf(pod) === digest && holds(pod, 'Ready')).map(nodeOf));
  return nodes.filter((node) => holds(node, 'Ready') && !serving.has(node.metadata.name)).map(nameOf);
}

const nameOf = (node: KubeObject): string => node.metadata.name;

/** What will happen to flannel's pods, as a change; null where they have what they need. */
async function change({ config }: PhaseContext, client: ClusterClient): Promise<ActionChange | null> {
  const live = await client.get(CONFIG_MAP);
  if (live === null) return null;
  const before = (live.data as Record<string, string> | undefined)?.['net-conf.json'];
  const step = flannelSwitch(before, flannelNetConf(config));
  if (step !== null) {
    const summary = `${step.title}: ${step.consequences.join('; ')}`;
    return { kind: 'action', name: 'wait', summary, ...(step.disrupts ? { disrupts: true } : {}) };
  }
  const nodes = await outdated(client, flannelConfigDigest(config));
  if (nodes.length === 0) return null;
  const summary = `wait until flannel has started anew on ${nodes.join(', ')}; packets go on meanwhile`;
  return { kind: 'action', name: 'wait', summary };
}

/** flanneld reads its configuration only when it starts. */
export const flannelRollout = defineClusterPhase({
  name: 'network/rollout',
  summary: 'flannel on every node runs with the configuration that the cluster has',
  target: 'cluster',
  needs: [NETWORK_APPLIED, NODES],
  provides: [NETWORK_CURRENT],
  runIf: ({ config }) => config.spec.network.plugin === 'flannel',
  check: async (context) => {
    const client = context.api();
    if (client === null) return SATISFIED;
    try {
      const found = await change(context, client);
      if (found === null) return SATISFIED;
      return { standing: 'drifted', reasons: [found.summary], changes: [found] };
    } catch (error) {
      // Before the first start there is nothing that could answer.
      if (error instanceof KeelsonError && error.code === 'CONNECTION') return SATISFIED;
      throw error;
    }
  },
  actions: {
    wait: async (context) => {
      const client = context.api();
      if (client === null) throw new KeelsonError('BUG', 'there is no API to ask for flannel');
      const digest = flannelConfigDigest(context.config);
      await waitUntil(
        async () => {
          const nodes = await pending(client, digest);
          return { met: nodes.length === 0, state: `not yet on ${nodes.join(', ')}` };
        },
        {
          for: 'flannel to start anew',
          deadlineMs: DEADLINE_MS,
          signal: context.signal,
          hint: `kubectl -n ${FLANNEL_NAMESPACE} get pods -o wide, and the logs of those that are not Ready`,
        },
      );
    },
  },
});
