import type { KubeObject } from '../../cluster/client.js';

/** What to do with pods that a drain destroys more of than a place to run. */
export interface DrainPolicy {
  /** Also pods that nothing brings back: those without a controller. */
  force: boolean;
  /** Also pods with emptyDir volumes, whose content is gone afterwards. */
  deleteEmptyDirData: boolean;
}

export interface DrainPods {
  /** To be evicted. */
  evict: KubeObject[];
  /** Why the node can't be drained under this policy, one line a pod. */
  refused: string[];
}

interface PodSpec {
  volumes?: { name: string; emptyDir?: unknown }[];
}

/** kubelet's mark on the API's picture of a static pod, which can't be evicted. */
const MIRROR = 'kubernetes.io/config.mirror';

/**
 * Sorts the pods of a node as kubectl drain does: mirror pods and those of DaemonSets stay, since they would be
 * back at once; finished pods go in any case.
 */
export function podsToDrain(pods: readonly KubeObject[], policy: DrainPolicy): DrainPods {
  const evict: KubeObject[] = [];
  const refused: string[] = [];
  for (const pod of pods) {
    if (pod.metadata.annotations?.[MIRROR] !== undefined) continue;
    const phase = (pod.status as { phase?: string } | undefined)?.phase;
    if (phase === 'Succeeded' || phase === 'Failed') {
      evict.push(pod);
      continue;
    }
    const controller = controllerOf(pod);
    if (controller?.kind === 'DaemonSet') continue;
    const reasons = [
      ...(controller === undefined && !policy.force
        ? ['it has no controller, so nothing would bring it back (--force)']
        : []),
      ...(hasEmptyDir(pod) && !policy.deleteEmptyDirData
        ? ['the data in its emptyDir volumes would be lost (--delete-emptydir-data)']
        : []),
    ];
    // A pod that is on its way out already loses nothing by the drain.
    if (reasons.length > 0 && pod.metadata.deletionTimestamp === undefined)
      refused.push(`${podName(pod)}: ${reasons.join('; ')}`);
    else evict.push(pod);
  }
  return { evict, refused };
}

/** namespace/name */
export function podName(pod: KubeObject): string {
  return `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`;
}

function controllerOf(pod: KubeObject): { kind: string; name: string } | undefined {
  const owners = (pod.metadata.ownerReferences ?? []) as {
    kind: string;
    name: string;
    controller?: boolean;
  }[];
  return owners.find((owner) => owner.controller === true);
}

function hasEmptyDir(pod: KubeObject): boolean {
  return ((pod.spec as PodSpec | undefined)?.volumes ?? []).some((volume) => volume.emptyDir !== undefined);
}
