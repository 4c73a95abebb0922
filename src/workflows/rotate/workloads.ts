import pLimit from 'p-limit';
import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import type { ObjectRef } from '../../cluster/paths.js';
import { awaitApi } from './await-api.js';
import type { Run } from './run.js';

/** Pods of so many workloads are replaced at once. */
const AT_ONCE = 3;
/** Until a workload's pods are replaced, milliseconds. */
const ROLLOUT_MS = 900_000;
/** Annotation of pod templates: the rotation that their pods were started anew for. */
const RESTARTED = 'keelson.dev/restarted-for';

export interface Holders {
  /** Workloads that can be restarted, as references. */
  workloads: ObjectRef[];
  /** Pods that nothing starts anew, as `namespace/name`: bare ones, those of Jobs, of workloads that wait to be told. */
  told: string[];
}

const COLLECTIONS = {
  Deployment: '/apis/apps/v1/deployments',
  DaemonSet: '/apis/apps/v1/daemonsets',
  StatefulSet: '/apis/apps/v1/statefulsets',
} as const;

interface Volume {
  secret?: { secretName?: string };
  projected?: { sources?: { configMap?: { name?: string }; serviceAccountToken?: unknown }[] };
}

interface PodSpec {
  volumes?: Volume[];
  containers?: unknown[];
}

/** What has the cluster's CA or a service account's token from a volume that the kubelet filled. */
export async function holdersOf(api: ClusterClient): Promise<Holders> {
  const [pods, replicaSets, secrets, ...lists] = await Promise.all([
    api.list('/api/v1/pods'),
    api.list('/apis/apps/v1/replicasets'),
    api.list(
      `/api/v1/secrets?fieldSelector=${encodeURIComponent('type=kubernetes.io/service-account-token')}`,
    ),
    ...Object.values(COLLECTIONS).map((path) => api.list(path)),
  ]);
  const tokens = new Set(secrets.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const uidOwner = new Map(replicaSets.map((set) => [String(set.metadata.uid), ownerOf(set)]));
  const byUid = new Map<string, { ref: ObjectRef; waits: boolean }>();
  Object.keys(COLLECTIONS).forEach((kind, index) => {
    for (const object of lists[index] ?? []) {
      const { name, namespace } = object.metadata;
      const ref = { apiVersion: 'apps/v1', kind, namespace, name };
      byUid.set(String(object.metadata.uid), { ref, waits: waitsToBeTold(object) });
    }
  });
  const workloads = new Map<string, ObjectRef>();
  const told: string[] = [];
  for (const pod of pods) {
    const phase = (pod.status as { phase?: string } | undefined)?.phase;
    if (phase === 'Succeeded' || phase === 'Failed' || !holds(pod, tokens)) continue;
    const owner = ownerOf(pod);
    const uid = uidOwner.get(owner?.uid ?? '')?.uid ?? owner?.uid ?? '';
    const workload = byUid.get(uid);
    if (workload === undefined || workload.waits) told.push(`${pod.metadata.namespace}/${pod.metadata.name}`);
    else workloads.set(uid, workload.ref);
  }
  return { workloads: [...workloads.values()], told };
}

function holds(pod: KubeObject, tokens: ReadonlySet<string>): boolean {
  const { volumes = [] } = pod.spec as PodSpec;
  return volumes.some(
    ({ secret, projected }) =>
      tokens.has(`${pod.metadata.namespace}/${secret?.secretName ?? ''}`) ||
      (projected?.sources ?? []).some(
        ({ configMap, serviceAccountToken }) =>
          configMap?.name === 'kube-root-ca.crt' || serviceAccountToken !== undefined,
      ),
  );
}

function ownerOf(object: KubeObject): { uid: string } | undefined {
  const { ownerReferences = [] } = object.metadata as {
    ownerReferences?: { uid: string; controller?: boolean }[];
  };
  return ownerReferences.find(({ controller }) => controller === true);
}

/** Paused Deployments, and those that replace a pod only when someone deletes it. */
function waitsToBeTold({ spec }: KubeObject): boolean {
  const { paused, updateStrategy } = spec as { paused?: boolean; updateStrategy?: { type?: string } };
  return paused === true || updateStrategy?.type === 'OnDelete';
}

/**
 * Replaces the pods of these workloads, as `kubectl rollout restart` does, and waits until it is through. One that
 * has the mark already is only waited for.
 * @throws DEADLINE naming the workload that does not come through
 */
export async function restartWorkloads(
  run: Run,
  workloads: readonly ObjectRef[],
  mark: string,
): Promise<void> {
  const limit = pLimit(AT_ONCE);
  await Promise.all(workloads.map((ref) => limit(() => restart(run, ref, mark))));
}

async function restart(run: Run, ref: ObjectRef, mark: string): Promise<void> {
  const place = `${ref.kind} ${ref.namespace}/${ref.name}`;
  const annotations = { [RESTARTED]: mark };
  await awaitApi(
    run,
    async (api) => {
      const object = await api.get(ref);
      if (object === null) return { met: true, state: '' };
      if (templateMark(object) !== mark) {
        await api.patch(ref, { spec: { template: { metadata: { annotations } } } });
        return { met: false, state: 'its template was changed' };
      }
      return rolledOut(object);
    },
    {
      host: '',
      for: `the pods of ${place} to be replaced`,
      deadlineMs: ROLLOUT_MS,
      hint: `look at it, then run the same command again; or leave pods alone with --restart-workloads none`,
    },
  );
}

function templateMark({ spec }: KubeObject): string | undefined {
  const { template } = spec as { template?: { metadata?: { annotations?: Record<string, string> } } };
  return template?.metadata?.annotations?.[RESTARTED];
}

/** Whether every pod is of the present template and available. */
export function rolledOut(object: KubeObject): { met: boolean; state: string } {
  const status = (object.status ?? {}) as Record<string, number | undefined>;
  const daemon = object.kind === 'DaemonSet';
  const wanted = daemon
    ? (status.desiredNumberScheduled ?? 0)
    : ((object.spec as { replicas?: number }).replicas ?? 1);
  const updated = (daemon ? status.updatedNumberScheduled : status.updatedReplicas) ?? 0;
  const available = (daemon ? status.numberAvailable : status.availableReplicas) ?? 0;
  const total = daemon ? wanted : (status.replicas ?? 0);
  const seen = (status.observedGeneration ?? 0) >= Number(object.metadata.generation ?? 0);
  return {
    met: seen && updated >= wanted && available >= wanted && total <= wanted,
    state: `${updated} of ${wanted} pods are new, ${available} are available`,
  };
}
