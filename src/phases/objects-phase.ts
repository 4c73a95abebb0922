import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { refOf } from '../cluster/client.js';
import { comparable, driftOf } from '../cluster/drift.js';
import { unifiedDiff } from '../engine/files.js';
import type { Artefact, ClusterPhase, Verdict } from '../engine/phase.js';
import { SATISFIED } from '../engine/phase.js';
import type { ObjectChange } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { stringifyYaml } from '../manifests/yaml.js';
import type { PhaseContext } from './context.js';
import { isSecret, secretArtefact } from './secret-object.js';

export interface ObjectsPhaseSpec {
  name: string;
  summary: string;
  needs: readonly Artefact[];
  after?: readonly Artefact[];
  provides: readonly Artefact[];
  runIf?: (context: PhaseContext) => boolean;
  /** The objects as they have to be, in the order in which they are applied. */
  objects: (context: PhaseContext) => KubeObject[];
}

/** A cluster phase that holds objects to what they have to be, by server-side apply. */
export function objectsPhase(spec: ObjectsPhaseSpec): ClusterPhase<PhaseContext> {
  return {
    name: spec.name,
    summary: spec.summary,
    target: 'cluster',
    needs: spec.needs,
    ...(spec.after === undefined ? {} : { after: spec.after }),
    provides: spec.provides,
    ...(spec.runIf === undefined ? {} : { runIf: spec.runIf }),
    check: (context) => objectsVerdict(context, spec.objects(context)),
  };
}

/** Compares objects with the live ones; where there is no API yet, all are to be created. */
export async function objectsVerdict(
  context: PhaseContext,
  objects: readonly KubeObject[],
): Promise<Verdict> {
  const client = context.api();
  const changes =
    client === null ? objects.map((object) => creation(object)) : await compareAll(client, objects);
  if (changes.length === 0) return SATISFIED;
  return {
    standing: changes.every((change) => change.op === 'create') ? 'missing' : 'drifted',
    reasons: changes.map((change) => change.reason),
    changes,
  };
}

async function compareAll(client: ClusterClient, objects: readonly KubeObject[]): Promise<ObjectChange[]> {
  try {
    const found = await Promise.all(objects.map((object) => compare(client, object)));
    return found.filter((change) => change !== null);
  } catch (error) {
    // Before the first start there is nothing that could answer.
    if (error instanceof KeelsonError && error.code === 'CONNECTION')
      return objects.map((object) => creation(object));
    throw error;
  }
}

async function compare(client: ClusterClient, object: KubeObject): Promise<ObjectChange | null> {
  const live = await client.get(refOf(object));
  if (live === null) return creation(object);
  const wanted = comparable(object);
  const drift = driftOf(wanted, live);
  if (drift.length === 0) return null;
  const place = placeOf(object);
  return {
    ...change(object, 'update'),
    diff: unifiedDiff(place, stringifyYaml(project(wanted, live)), stringifyYaml(wanted)),
    reason: `${place} differs at ${drift.slice(0, 5).join(', ')}`,
  };
}

/** The part of `live` that `wanted` speaks of, so that a diff shows only what is ours. */
function project(wanted: unknown, live: unknown): unknown {
  if (Array.isArray(wanted) && Array.isArray(live) && wanted.length === live.length)
    return wanted.map((item, index) => project(item, live[index]));
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return live;
  if (typeof live !== 'object' || live === null) return live;
  return Object.fromEntries(
    Object.entries(wanted).map(([key, value]) => [
      key,
      project(value, (live as Record<string, unknown>)[key]),
    ]),
  );
}

/** The change that makes an object. */
export function creation(object: KubeObject): ObjectChange {
  return { ...change(object, 'create'), reason: `${placeOf(object)} is missing` };
}

function change(object: KubeObject, op: 'create' | 'update') {
  return {
    kind: 'object',
    op,
    apiVersion: object.apiVersion,
    objectKind: object.kind,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    ...(isSecret(object)
      ? { artefact: secretArtefact(object) }
      : { body: object as unknown as Record<string, unknown> }),
  } as const;
}

/** `ConfigMap kube-system/coredns` */
export function placeOf(object: KubeObject): string {
  const namespace = object.metadata.namespace;
  return `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${object.metadata.name}`;
}
