import { type ClusterClient, type KubeObject, refOf } from '../../src/cluster/client.js';
import { type ObjectRef, pathOf } from '../../src/cluster/paths.js';
import { KeelsonError } from '../../src/errors/keelson-error.js';

/** A Kubernetes API in memory: nodes, pods and whatever else is put in; every request is recorded. */
export interface FakeApi extends ClusterClient {
  readonly objects: Map<string, KubeObject>;
  /** `METHOD path` of everything that was asked, in order. */
  readonly calls: string[];
  put: (object: KubeObject) => void;
  /** Says how an eviction of a pod (`namespace/name`) ends; default: the pod is gone at once. */
  onEviction: (pod: string, answer: () => 'gone' | 'ending' | { blockedBy: string }) => void;
}

const failure = (status: number, causes: { reason: string; message: string }[] = []) =>
  new KeelsonError('API', `${status}`, { details: { status, causes } });

export function createFakeApi(...initial: KubeObject[]): FakeApi {
  const objects = new Map<string, KubeObject>();
  const calls: string[] = [];
  const evictions = new Map<string, () => 'gone' | 'ending' | { blockedBy: string }>();
  const put = (object: KubeObject) => void objects.set(pathOf(refOf(object)), object);
  for (const object of initial) put(object);

  const evict = (path: string) => {
    const podPath = path.replace(/\/eviction$/, '');
    const pod = objects.get(podPath);
    if (pod === undefined) throw failure(404);
    const answer = evictions.get(`${pod.metadata.namespace}/${pod.metadata.name}`)?.() ?? 'gone';
    if (typeof answer === 'object')
      throw failure(429, [{ reason: 'DisruptionBudget', message: answer.blockedBy }]);
    if (answer === 'gone') objects.delete(podPath);
    else pod.metadata.deletionTimestamp = 'now';
  };
  return {
    objects,
    calls,
    put,
    onEviction: (pod, answer) => void evictions.set(pod, answer),
    request: async (method, path) => {
      calls.push(`${method} ${path}`);
      if (path.endsWith('/eviction')) evict(path);
      else if (method === 'DELETE' && !objects.delete(path)) throw failure(404);
      return { status: 200, body: objects.get(path) ?? {} };
    },
    get: async (ref) => structuredClone(objects.get(pathOf(ref)) ?? null),
    list: async (path) => {
      calls.push(`LIST ${path}`);
      const [collection = '', query = ''] = path.split('?');
      const node = /spec\.nodeName=(\S+)/.exec(decodeURIComponent(query))?.[1];
      const kind = collection.slice(collection.lastIndexOf('/') + 1);
      return [...objects.entries()]
        .filter(([at]) => at.split('/').at(-2) === kind)
        .map(([, object]) => object)
        .filter((object) => node === undefined || (object.spec as { nodeName?: string }).nodeName === node)
        .map((object) => structuredClone(object));
    },
    apply: async (object, options) => {
      // As the API server does: who applied nothing but a name manages nothing.
      const { apiVersion: _1, kind: _2, metadata, ...fields } = object;
      const named = Object.keys(fields).length + Object.keys(metadata).length > 2;
      const managedFields = named ? [{ manager: 'keelson', operation: 'Apply' }] : [];
      const applied = { ...object, metadata: { ...object.metadata, managedFields } };
      if (options?.dryRun !== true) put(applied);
      return structuredClone(applied);
    },
    patch: async (ref: ObjectRef, patch) => {
      calls.push(`PATCH ${pathOf(ref)}`);
      const object = objects.get(pathOf(ref));
      if (object === undefined) throw failure(404);
      const merged = merge(object, patch) as KubeObject;
      put(merged);
      return merged;
    },
    remove: async (ref) => {
      calls.push(`DELETE ${pathOf(ref)}`);
      objects.delete(pathOf(ref));
    },
    close: async () => undefined,
  };
}

/** As a merge patch: null takes away, lists are replaced. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null ? { ...(target as Record<string, unknown>) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

export interface FakePod {
  name: string;
  node?: string;
  owner?: string;
  emptyDir?: boolean;
  mirror?: boolean;
  phase?: string;
}

let uids = 0;

export function fakePod({
  name,
  node = 'w1',
  owner,
  emptyDir,
  mirror,
  phase = 'Running',
}: FakePod): KubeObject {
  uids += 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${uids}`,
      ...(mirror === true ? { annotations: { 'kubernetes.io/config.mirror': 'x' } } : {}),
      ...(owner === undefined ? {} : { ownerReferences: [{ kind: owner, name: 'owner', controller: true }] }),
    },
    spec: { nodeName: node, volumes: emptyDir === true ? [{ name: 'scratch', emptyDir: {} }] : [] },
    status: { phase },
  };
}

export function fakeNode(name: string, more: Partial<KubeObject['metadata']> = {}, spec = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, ...more }, spec };
}

/** A node whose kubelet is well. */
export function readyNode(name: string): KubeObject {
  return { ...fakeNode(name), status: { conditions: [{ type: 'Ready', status: 'True' }] } };
}
