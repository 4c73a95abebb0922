import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { toKeelsonError } from '../../errors/keelson-error.js';

/** A pod that is Ready. */
export interface ProbePod {
  name: string;
  uid: string;
  /** Host in the inventory. */
  host: string;
  /** The first of `addresses`. */
  address: string;
  /** One of each family that the cluster has. */
  addresses: readonly string[];
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  terminated?: { reason?: string; message?: string; exitCode?: number };
}

interface PodStatus {
  phase?: string;
  podIP?: string;
  podIPs?: { ip?: string }[];
  reason?: string;
  message?: string;
  conditions?: Condition[];
  containerStatuses?: { state?: ContainerState; lastState?: ContainerState; restartCount?: number }[];
}

/** Why a node is not Ready; null when it is. */
export function nodeProblem(node: KubeObject | undefined): string | null {
  if (node === undefined) return 'has not registered';
  const { conditions = [] } = (node.status ?? {}) as { conditions?: Condition[] };
  const ready = conditions.find((condition) => condition.type === 'Ready');
  if (ready?.status === 'True') return null;
  return ready?.message ?? 'has no Ready condition yet';
}

/** Name of the node that a pod is bound to, '' while it is bound to none. */
export function nodeOf(pod: KubeObject): string {
  return (pod.spec as { nodeName?: string } | undefined)?.nodeName ?? '';
}

/** True for a pod that is not being deleted. */
function isStaying(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp === undefined;
}

/** The pod as one that can be probed, or null while it is not Ready. */
export function readyPod(pod: KubeObject, host: string): ProbePod | null {
  const status = (pod.status ?? {}) as PodStatus;
  const ready = status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
  if (!ready || !isStaying(pod) || status.podIP === undefined) return null;
  const addresses = (status.podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  return {
    name: pod.metadata.name,
    uid: String(pod.metadata.uid),
    host,
    address: status.podIP,
    addresses: addresses.length === 0 ? [status.podIP] : addresses,
  };
}

/** What a pod is waiting for, in a few words: `ContainerCreating`, `ErrImageNeverPull: …`, `Pending: …`. */
export function podProblem(pod: KubeObject | undefined): string {
  if (pod === undefined) return 'no pod was made for this node';
  const status = (pod.status ?? {}) as PodStatus;
  const container = status.containerStatuses?.[0];
  const state = container?.state?.waiting ?? container?.state?.terminated ?? container?.lastState?.terminated;
  if (state?.reason !== undefined) return joined(state.reason, state.message);
  const scheduled = status.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False');
  if (scheduled !== undefined) return joined(scheduled.reason ?? 'not scheduled', scheduled.message);
  return joined(
    status.reason ?? (status.phase === 'Running' ? 'not Ready' : (status.phase ?? 'Pending')),
    status.message,
  );
}

function joined(reason: string, message: string | undefined): string {
  return message === undefined || message === '' ? reason : `${reason}: ${message}`;
}

/** Newest events of a pod, one a line, oldest first; failing to read them is told in place of them. */
export async function podEvents(client: ClusterClient, namespace: string, pod: string): Promise<string[]> {
  try {
    const selector = encodeURIComponent(`involvedObject.name=${pod}`);
    const events = await client.list(`/api/v1/namespaces/${namespace}/events?fieldSelector=${selector}`);
    return events
      .map((event) => ({
        at: String(event.lastTimestamp ?? event.eventTime ?? ''),
        text: `${String(event.type)} ${String(event.reason)}: ${String(event.message)}`,
      }))
      .sort((one, other) => one.at.localeCompare(other.at))
      .slice(-6)
      .map((event) => event.text);
  } catch (error) {
    return [`its events can't be read: ${toKeelsonError(error).message}`];
  }
}
