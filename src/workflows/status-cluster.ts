import { type ClusterClient, type KubeObject, readinessOf } from '../cluster/client.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';

export interface NodeStatus {
  name: string;
  ready: boolean;
  /** Why it is not Ready. */
  reason?: string;
  version: string;
  roles: string[];
}

export interface ComponentStatus {
  host: string;
  component: string;
  /** `running`: the program runs, but there is no API to say more. */
  state: 'ready' | 'not ready' | 'running' | 'stopped' | 'unknown';
}

export interface AddonStatus {
  name: string;
  ready: number;
  wanted: number;
}

export interface ApiStatus {
  reachable: boolean;
  /** `ok`, what is not ready, or why there is no answer. */
  readyz: string;
}

export interface ClusterView {
  api: ApiStatus;
  nodes: NodeStatus[];
  /** Pods of the control plane that are Ready, as `component@node`. */
  readyPods: ReadonlySet<string>;
  addons: AddonStatus[];
}

const COMPONENTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/** Control-plane programs that a control plane of this cluster runs. */
export function componentsOf(config: ClusterConfig): string[] {
  return COMPONENTS.filter((name) => name !== 'etcd' || config.cluster.etcd.external === undefined);
}

/** What the API says of the cluster; an API that does not answer is part of the answer. */
export async function clusterView(client: ClusterClient | null): Promise<ClusterView> {
  const nothing = { nodes: [], readyPods: new Set<string>(), addons: [] };
  if (client === null)
    return { api: { reachable: false, readyz: 'no admin identity was found' }, ...nothing };
  try {
    const [readyz, nodes, pods, daemonSets, deployments] = await Promise.all([
      readiness(client),
      client.list('/api/v1/nodes'),
      client.list('/api/v1/namespaces/kube-system/pods?labelSelector=tier%3Dcontrol-plane'),
      client.list('/apis/apps/v1/daemonsets'),
      client.list('/apis/apps/v1/namespaces/kube-system/deployments'),
    ]);
    return {
      api: { reachable: true, readyz },
      nodes: nodes.map(nodeStatus),
      readyPods: new Set(pods.filter((pod) => conditionOf(pod, 'Ready')?.status === 'True').map(podPlace)),
      addons: [...daemonSets.map(daemonSetStatus), ...deployments.map(deploymentStatus)],
    };
  } catch (error) {
    return { api: { reachable: false, readyz: toKeelsonError(error).message }, ...nothing };
  }
}

async function readiness(client: ClusterClient): Promise<string> {
  try {
    const { body } = await client.request('GET', '/readyz?verbose', { timeoutMs: 2000 });
    return typeof body === 'string' && body.includes('readyz check passed')
      ? 'ok'
      : String(body).slice(0, 200);
  } catch (error) {
    // A connection that fails is no answer; a 500 is one, and names what is not ready.
    if (!(error instanceof KeelsonError) || error.code !== 'API') throw error;
    return readinessOf(error);
  }
}

interface Condition {
  type: string;
  status: string;
  message?: string;
}

function conditionOf(object: KubeObject, type: string): Condition | undefined {
  const { conditions = [] } = (object.status ?? {}) as { conditions?: Condition[] };
  return conditions.find((condition) => condition.type === type);
}

const podPlace = (pod: KubeObject) =>
  `${pod.metadata.labels?.component ?? ''}@${(pod.spec as { nodeName?: string }).nodeName ?? ''}`;

const ROLE_LABEL = 'node-role.kubernetes.io/';

function nodeStatus(node: KubeObject): NodeStatus {
  const condition = conditionOf(node, 'Ready');
  const ready = condition?.status === 'True';
  const { kubeletVersion = '' } =
    (node.status as { nodeInfo?: { kubeletVersion?: string } } | undefined)?.nodeInfo ?? {};
  return {
    name: node.metadata.name,
    ready,
    ...(ready ? {} : { reason: condition?.message ?? 'no condition yet' }),
    version: kubeletVersion,
    roles: Object.keys(node.metadata.labels ?? {})
      .filter((label) => label.startsWith(ROLE_LABEL))
      .map((label) => label.slice(ROLE_LABEL.length)),
  };
}

function daemonSetStatus(object: KubeObject): AddonStatus {
  const { numberReady = 0, desiredNumberScheduled = 0 } = (object.status ?? {}) as Record<string, number>;
  return { name: object.metadata.name, ready: numberReady, wanted: desiredNumberScheduled };
}

function deploymentStatus(object: KubeObject): AddonStatus {
  const { availableReplicas = 0 } = (object.status ?? {}) as Record<string, number>;
  const { replicas = 1 } = (object.spec ?? {}) as { replicas?: number };
  return { name: object.metadata.name, ready: availableReplicas, wanted: replicas };
}
