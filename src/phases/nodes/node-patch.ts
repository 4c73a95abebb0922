import type { KubeObject } from '../../cluster/client.js';
import type { Taint } from '../../config/types.js';

/** What a node has to be changed in. null takes a label or annotation away. */
export interface NodePatch {
  labels: Record<string, string | null>;
  annotations: Record<string, string | null>;
  setTaints: Taint[];
  removeTaints: Taint[];
}

/** What of a node is a cluster file's. */
export interface NodeWishes {
  labels: Readonly<Record<string, string>>;
  /** null: the file says nothing of taints. */
  taints: readonly Taint[] | null;
}

/**
 * Annotation on a node with what keelson gave it from the cluster file: `{"labels": [key…], "taints":
 * ["key:effect"…]}`. What stands here and no longer in the file is taken away; all else is somebody else's.
 */
export const MANAGED_ANNOTATION = 'keelson.dev/managed';

interface Managed {
  labels: string[];
  taints: string[];
}

export function taintsOf(node: KubeObject): Taint[] {
  return (node.spec as { taints?: Taint[] } | undefined)?.taints ?? [];
}

/**
 * What makes a node carry the wishes, and no more of what an earlier file gave it; null for nothing.
 * @param always taints of the node's role, as `key:effect`: keelson's where the file speaks of taints, also if the
 * annotation does not name them, and never taken away where it does not
 */
export function nodePatch(
  node: KubeObject,
  wishes: NodeWishes,
  always: readonly string[] = [],
): NodePatch | null {
  const before = managedOf(node);
  const present = taintsOf(node);
  const labels: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(wishes.labels))
    if (node.metadata.labels?.[key] !== value) labels[key] = value;
  for (const key of before.labels)
    if (wishes.labels[key] === undefined && node.metadata.labels?.[key] !== undefined) labels[key] = null;

  const wanted = wishes.taints ?? [];
  const owned =
    wishes.taints === null
      ? before.taints.filter((key) => !always.includes(key))
      : [...before.taints, ...always];
  const setTaints = wanted.filter(
    (taint) =>
      !present.some((other) => sameTaint(taint, other) && (taint.value ?? '') === (other.value ?? '')),
  );
  const removeTaints = present.filter(
    (taint) => owned.includes(taintKey(taint)) && !wanted.some((other) => sameTaint(taint, other)),
  );

  const managed: Managed = {
    labels: Object.keys(wishes.labels).sort(),
    taints: wanted.map(taintKey).sort(),
  };
  const annotation = managed.labels.length + managed.taints.length === 0 ? null : JSON.stringify(managed);
  const annotations: Record<string, string | null> =
    (node.metadata.annotations?.[MANAGED_ANNOTATION] ?? null) === annotation
      ? {}
      : { [MANAGED_ANNOTATION]: annotation };
  const nothing =
    Object.keys(labels).length + Object.keys(annotations).length + setTaints.length + removeTaints.length ===
    0;
  return nothing ? null : { labels, annotations, setTaints, removeTaints };
}

/** `disk=ssd, -zone, gpu=yes:NoSchedule` */
export function describePatch(patch: NodePatch): string {
  const labels = Object.entries(patch.labels).map(([key, value]) =>
    value === null ? `-${key}` : value === '' ? key : `${key}=${value}`,
  );
  const taints = patch.setTaints.map(
    ({ key, value, effect }) => `${key}${value === undefined ? '' : `=${value}`}:${effect}`,
  );
  const all = [...labels, ...taints, ...patch.removeTaints.map((taint) => `-${taintKey(taint)}`)];
  return all.length === 0 ? 'remembered as the file’s' : all.join(', ');
}

/** `key:effect`, by which the API tells taints apart. */
export function taintKey(taint: Pick<Taint, 'key' | 'effect'>): string {
  return `${taint.key}:${taint.effect}`;
}

const sameTaint = (a: Taint, b: Taint): boolean => taintKey(a) === taintKey(b);

/** An annotation that nobody can read is as none: nothing is taken away. */
function managedOf(node: KubeObject): Managed {
  const list = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
  try {
    const parsed = JSON.parse(
      node.metadata.annotations?.[MANAGED_ANNOTATION] ?? '{}',
    ) as Partial<Managed> | null;
    return { labels: list(parsed?.labels), taints: list(parsed?.taints) };
  } catch {
    return { labels: [], taints: [] };
  }
}
