import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { waitUntil } from '../../engine/wait.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import { answering } from '../answering.js';
import { ADDONS, NODES } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { withPodEvidence } from '../evidence.js';

interface Condition {
  type: string;
  status: string;
  message?: string;
  reason?: string;
}

/** Static pods, by kubeadm's label. */
const STATIC_PODS = '/api/v1/namespaces/kube-system/pods?labelSelector=tier%3Dcontrol-plane';

/**
 * Why the cluster is not ready yet; [] when the nodes of this run are Ready, CoreDNS and the DaemonSets are up, and no
 * static pod is stuck. Nodes that this run is not about may be down: what is missing on them is not waited for.
 */
export async function unready(context: PhaseContext): Promise<string[]> {
  const client = context.api();
  if (client === null) return ['there is no API yet'];
  try {
    const [nodes, staticPods, daemonSets, deployments] = await Promise.all([
      client.list('/api/v1/nodes'),
      client.list(STATIC_PODS),
      client.list('/apis/apps/v1/daemonsets'),
      client.list('/apis/apps/v1/namespaces/kube-system/deployments'),
    ]);
    const own = new Map(
      nodesOf(context).map((name) => [context.hostNamed(name).nodeRegistration.name, name]),
    );
    const othersDown = nodes.filter((node) => !own.has(node.metadata.name) && !isReady(node)).length;
    // Without a network of keelson's, nobody knows when pods can start.
    const network = context.config.spec.network.plugin !== 'none';
    const reasons = [
      ...(network ? [...own].flatMap(([node, host]) => unreadyNode(nodes, node, host)) : []),
      ...staticPods.flatMap((pod) => stuckPod(pod, own)),
      ...daemonSets.flatMap((object) => unreadyDaemonSet(object, othersDown)),
      ...(network ? deployments.flatMap(unreadyDeployment) : []),
    ];
    return reasons.length > 0 ? reasons : await silentKubelets(context, client, own);
  } catch (error) {
    return [toKeelsonError(error).message];
  }
}

/** Hosts of this run that are nodes. */
const nodesOf = ({ inventory }: PhaseContext): string[] =>
  inventory.filter(({ role }) => role !== 'etcd').map(({ name }) => name);

function readyCondition(node: KubeObject): Condition | undefined {
  const conditions = (node.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  return conditions.find((condition) => condition.type === 'Ready');
}

const isReady = (node: KubeObject): boolean => readyCondition(node)?.status === 'True';

function unreadyNode(nodes: readonly KubeObject[], name: string, host: string): string[] {
  const node = nodes.find((candidate) => candidate.metadata.name === name);
  if (node === undefined) return [`${host} has not registered`];
  return isReady(node)
    ? []
    : [`${host} is not Ready: ${readyCondition(node)?.message ?? 'no condition yet'}`];
}

/**
 * A node stays Ready for 50 seconds after its kubelet's last word. So one that has not renewed its lease for half of
 * the lease's time, which it does four times in it, is not taken at that: it may be about to be NotReady. The kubelet
 * writes its own host's time, which is this machine's and the difference that was seen when it was connected to.
 * @param own hosts by the name of their nodes
 */
async function silentKubelets(
  { facts, now }: PhaseContext,
  client: ClusterClient,
  own: ReadonlyMap<string, string>,
): Promise<string[]> {
  const leases = await client.list('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases');
  return leases.flatMap(({ metadata, spec }): string[] => {
    const host = own.get(metadata.name) ?? '';
    const { renewTime = '', leaseDurationSeconds = 40 } = (spec ?? {}) as LeaseSpec;
    const seconds = (now() + (facts.get(host)?.clockSkewMs ?? Number.NaN) - Date.parse(renewTime)) / 1000;
    return seconds > leaseDurationSeconds / 2
      ? [`${host}: its kubelet has not reported for ${Math.round(seconds)} s`]
      : [];
  });
}

interface LeaseSpec {
  renewTime?: string;
  leaseDurationSeconds?: number;
}

/** What the kubelet says of a container that it is about to start. */
const STARTING = ['ContainerCreating', 'PodInitializing'];

/** A static pod whose container does not start, or starts again and again. One that is not ready yet is not stuck. */
function stuckPod({ metadata, spec, status }: KubeObject, own: ReadonlyMap<string, string>): string[] {
  const { nodeName = '' } = (spec ?? {}) as { nodeName?: string };
  const { containerStatuses = [] } = (status ?? {}) as { containerStatuses?: ContainerStatus[] };
  if (!own.has(nodeName)) return [];
  return containerStatuses.flatMap(({ state }) => {
    const { reason = '', message = '' } = state?.waiting ?? {};
    return reason === '' || STARTING.includes(reason) ? [] : [`${metadata.name}: ${reason}: ${message}`];
  });
}

interface ContainerStatus {
  state?: { waiting?: { reason?: string; message?: string } };
}

/** flannel's own readiness probe begins seconds late; `network/ready` looks at what it did instead. */
const KEELSON_DAEMON_SETS = ['kube-proxy'];

function unreadyDaemonSet(object: KubeObject, othersDown: number): string[] {
  if (!KEELSON_DAEMON_SETS.includes(object.metadata.name)) return [];
  const status = object.status as
    | {
        desiredNumberScheduled?: number;
        numberReady?: number;
        updatedNumberScheduled?: number;
        observedGeneration?: number;
      }
    | undefined;
  const wanted = status?.desiredNumberScheduled ?? 0;
  // Pods of the template before are ready too while they wait to be replaced.
  const ready = Math.min(status?.numberReady ?? 0, status?.updatedNumberScheduled ?? 0);
  const current = status?.observedGeneration === (object.metadata as { generation?: number }).generation;
  return current && wanted > 0 && ready + othersDown >= wanted
    ? []
    : [`${object.metadata.name}: ${ready} of ${wanted} ready`];
}

function unreadyDeployment(object: KubeObject): string[] {
  if (object.metadata.name !== 'coredns') return [];
  const status = object.status as { availableReplicas?: number; updatedReplicas?: number } | undefined;
  const available = Math.min(status?.availableReplicas ?? 0, status?.updatedReplicas ?? 0);
  const wanted = (object.spec as { replicas?: number } | undefined)?.replicas ?? 1;
  return available >= wanted ? [] : [`coredns: ${available} of ${wanted} available`];
}

export const waitReady = defineClusterPhase({
  name: 'wait-ready',
  summary: 'nodes Ready, control planes, kube-proxy, network and CoreDNS up',
  target: 'cluster',
  awaits: true,
  needs: [NODES, ADDONS],
  provides: [],
  check: async (context) => {
    const reasons = await unready(context);
    if (reasons.length === 0) return { standing: 'satisfied', reasons, changes: [] };
    return {
      standing: 'missing',
      reasons,
      changes: [{ kind: 'action', name: 'wait', summary: 'wait until nodes and add-ons are ready' }],
    };
  },
  actions: {
    wait: async (context) => {
      try {
        await waitUntil(
          async () => {
            const reasons = await unready(context);
            return { met: reasons.length === 0, state: reasons.join('; ') };
          },
          {
            for: 'nodes and add-ons',
            deadlineMs: 240_000,
            intervalMs: 150,
            signal: context.signal,
            guard: answering(context, nodesOf(context)),
            hint: 'kubectl get pods -A -o wide and kubectl describe show what a pod waits for',
            onState: (last) =>
              context.emit({
                type: 'waiting',
                phase: 'wait-ready',
                host: '',
                for: 'nodes and add-ons',
                last,
              }),
          },
        );
      } catch (error) {
        throw await withPodEvidence(error, context.api());
      }
    },
  },
});
