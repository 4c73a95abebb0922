import { type ClusterClient, causesOf, type KubeObject, statusOf } from '../../cluster/client.js';
import { podName } from './drain-pods.js';

/** How one request to evict a pod ended. */
export type Eviction = { outcome: 'evicted' | 'gone' } | { outcome: 'blocked'; by: string };

/**
 * Asks the API to evict a pod, which it does only as far as PodDisruptionBudgets allow.
 * @param graceSeconds null for the pod's own
 * @throws API for anything but a budget in the way
 */
export async function evict(
  client: ClusterClient,
  pod: KubeObject,
  graceSeconds: number | null,
): Promise<Eviction> {
  const { name, namespace = 'default' } = pod.metadata;
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace },
    deleteOptions: {
      // Not the next pod of that name, as a StatefulSet makes it.
      preconditions: { uid: pod.metadata.uid },
      ...(graceSeconds === null ? {} : { gracePeriodSeconds: graceSeconds }),
    },
  };
  try {
    await client.request('POST', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
      body: JSON.stringify(body),
    });
    return { outcome: 'evicted' };
  } catch (error) {
    const status = statusOf(error);
    if (status === 404 || status === 409) return { outcome: 'gone' };
    const causes = causesOf(error);
    // A namespace that is being deleted takes its pods away by itself.
    if (causes.some((cause) => cause.reason === 'NamespaceTerminating')) return { outcome: 'evicted' };
    if (status !== 429) throw error;
    const budget = causes.find((cause) => cause.reason === 'DisruptionBudget');
    return { outcome: 'blocked', by: `${podName(pod)}: ${budget?.message ?? 'the API is busy'}` };
  }
}

/** Deletes a pod whose kubelet is dead and will confirm nothing. */
export async function deleteAtOnce(client: ClusterClient, pod: KubeObject): Promise<void> {
  const { name, namespace = 'default' } = pod.metadata;
  try {
    await client.request('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, {
      body: JSON.stringify({ gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } }),
    });
  } catch (error) {
    const status = statusOf(error);
    if (status !== 404 && status !== 409) throw error;
  }
}
