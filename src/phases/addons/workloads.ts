import { type ClusterClient, type KubeObject, refOf } from '../../cluster/client.js';
import { placeOf } from '../objects-phase.js';

interface Status {
  observedGeneration?: number;
  /** Of all templates. */
  replicas?: number;
  availableReplicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  desiredNumberScheduled?: number;
  updatedNumberScheduled?: number;
  numberReady?: number;
  conditions?: { type: string; status: string; message?: string }[];
}

/** How far a workload is, null once it is ready: as `kubectl rollout status` and `kubectl wait` see it. */
type Judge = (status: Status, live: KubeObject) => string | null;

const count = (ready: number | undefined, wanted: number | undefined, word: string): string | null =>
  (ready ?? 0) >= (wanted ?? 0) ? null : `${ready ?? 0} of ${wanted ?? 0} ${word}`;

const replicasOf = (live: KubeObject): number =>
  (live.spec as { replicas?: number } | undefined)?.replicas ?? 1;

const condition =
  (type: string): Judge =>
  ({ conditions = [] }) => {
    const found = conditions.find((candidate) => candidate.type === type);
    return found?.status === 'True' ? null : (found?.message ?? `not ${type} yet`);
  };

const JUDGES: Readonly<Record<string, Judge>> = {
  Deployment: (status, live) => {
    const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
    const wanted = replicasOf(live);
    // Pods of the template before serve, and count as available, until those of the new one can.
    if (updatedReplicas >= wanted && replicas > updatedReplicas)
      return `${replicas - updatedReplicas} of the template before left`;
    return count(Math.min(availableReplicas, updatedReplicas), wanted, 'available');
  },
  StatefulSet: (status, live) =>
    count(Math.min(status.readyReplicas ?? 0, status.updatedReplicas ?? 0), replicasOf(live), 'ready'),
  DaemonSet: (status) =>
    count(
      Math.min(status.numberReady ?? 0, status.updatedNumberScheduled ?? 0),
      status.desiredNumberScheduled,
      'ready',
    ),
  Job: condition('Complete'),
  CustomResourceDefinition: condition('Established'),
  APIService: condition('Available'),
};

/** Kinds that report what of their specification they have seen. */
const OBSERVING = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** Which of the objects' workloads are not ready yet, and how far they are; [] when all are. */
export async function unreadyWorkloads(
  client: ClusterClient,
  objects: readonly KubeObject[],
): Promise<string[]> {
  const found = await Promise.all(
    objects.map(async (object) => {
      const judge = JUDGES[object.kind];
      if (judge === undefined) return [];
      const live = await client.get(refOf(object));
      const state = live === null ? 'not there yet' : stateOf(judge, live);
      return state === null ? [] : [`${placeOf(object)}: ${state}`];
    }),
  );
  return found.flat();
}

function stateOf(judge: Judge, live: KubeObject): string | null {
  const status = (live.status ?? {}) as Status;
  const { generation } = live.metadata as { generation?: number };
  if (OBSERVING.includes(live.kind) && status.observedGeneration !== generation) return 'not looked at yet';
  return judge(status, live);
}
