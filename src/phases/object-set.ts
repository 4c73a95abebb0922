import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { refOf, statusOf } from '../cluster/client.js';
import type { ObjectRef } from '../cluster/paths.js';
import { unifiedDiff } from '../engine/files.js';
import { SATISFIED, type Verdict } from '../engine/phase.js';
import type { ObjectChange } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { stringifyYaml } from '../manifests/yaml.js';
import type { PhaseContext } from './context.js';
import {
  identityOf,
  isSomebodyElses,
  type Recorded,
  readRecord,
  recordedAs,
  recordOf,
} from './object-record.js';
import { creation, placeOf } from './objects-phase.js';
import { isSecret, maskedPair } from './secret-object.js';

/**
 * Objects of the user's that keelson holds to what the file says, and removes when they leave it. What it has made
 * stands in a ConfigMap of the cluster, so that it is known whoever runs keelson, from wherever.
 */
export interface ObjectSet {
  /** Unique in the cluster. */
  name: string;
  objects: readonly KubeObject[];
  /** Objects of other sets: what moves to one of them stays. */
  elsewhere?: readonly KubeObject[];
}

/** What one object needs: a change, nothing, or why the server refuses it. */
interface Comparison {
  object: KubeObject;
  live: KubeObject | null;
  change: ObjectChange | null;
  refused?: string;
}

/**
 * What has to change for a set. The server itself is asked what an apply would make of each object (dry run), since
 * it fills in defaults and writes quantities its own way.
 */
export async function objectSetVerdict({ api }: Pick<PhaseContext, 'api'>, set: ObjectSet): Promise<Verdict> {
  const client = api();
  const fresh = set.objects.map((object) => ({ ref: refOf(object), found: false }));
  const all = [recordOf(set.name, fresh), ...set.objects].map((object) => creation(object));
  if (client === null) return verdictOf(all);
  try {
    const before = await readRecord(client, set.name);
    const compared = await Promise.all(set.objects.map((object) => compare(client, object)));
    const refused = compared.flatMap((one) => one.refused ?? []);
    if (refused.length > 0) return { standing: 'blocked', reasons: refused, changes: [] };
    const changes = compared.flatMap(({ change }) => change ?? []);
    const wanted = await recordedAs(client, compared, before);
    const deletions = await staleOf(
      client,
      [...(before?.values() ?? [])],
      [...set.objects, ...(set.elsewhere ?? [])],
    );
    if (before === null || wanted.some(({ ref }) => !before.has(identityOf(ref)))) {
      const leaving = deletions.map((change) => ({ ref: refOfChange(change), found: false }));
      const record = recordOf(set.name, [...wanted, ...leaving]);
      const reason = `${placeOf(record)} has to name them`;
      changes.unshift({ ...creation(record), ...(before === null ? {} : { op: 'update' }), reason });
    }
    return verdictOf([...changes, ...deletions]);
  } catch (error) {
    // Before the first start there is nothing that could answer.
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return verdictOf(all);
    throw error;
  }
}

const refOfChange = ({ apiVersion, objectKind, namespace, name }: ObjectChange): ObjectRef => ({
  apiVersion,
  kind: objectKind,
  name,
  ...(namespace === '' ? {} : { namespace }),
});

/** Deletions of what keelson made and nobody wants any more, the last made first. */
async function staleOf(
  client: ClusterClient,
  recorded: readonly Recorded[],
  wanted: readonly KubeObject[],
): Promise<ObjectChange[]> {
  const keep = new Set(wanted.map((object) => identityOf(refOf(object))));
  const found = await Promise.all(
    recorded
      .filter((one) => !one.found && !keep.has(identityOf(one.ref)))
      .toReversed()
      .map(({ ref }) => deletionOf(client, ref)),
  );
  return found.filter((change) => change !== null);
}

async function deletionOf(client: ClusterClient, ref: ObjectRef): Promise<ObjectChange | null> {
  const live = await client.get(ref);
  if (live === null || live.metadata.deletionTimestamp !== undefined || isSomebodyElses(live)) return null;
  const place = placeOf(live);
  return {
    kind: 'object',
    op: 'delete',
    apiVersion: ref.apiVersion,
    objectKind: ref.kind,
    namespace: ref.namespace ?? '',
    name: ref.name,
    reason: `${place} is not in the file any more`,
  };
}

async function compare(client: ClusterClient, object: KubeObject): Promise<Comparison> {
  const live = await client.get(refOf(object));
  if (live === null) return { object, live, change: creation(object) };
  let after: KubeObject;
  try {
    after = await client.apply(object, { dryRun: true });
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) return { object, live, change: creation(object) };
    if (status !== 400 && status !== 422) throw error;
    const said = error instanceof Error ? error.message : String(error);
    if (isFinishedKind(object) && said.includes('field is immutable'))
      return { object, live, change: replacement(object) };
    return { object, live, change: null, refused: `${placeOf(object)} is refused: ${said}` };
  }
  if (stable(live) === stable(after)) return { object, live, change: null };
  const place = placeOf(object);
  const [before, then] = isSecret(object) ? maskedPair(live, after) : [live, after];
  const diff = unifiedDiff(place, stable(before), stable(then));
  return {
    object,
    live,
    change: { ...creation(object), op: 'update', diff, reason: `${place} differs` },
  };
}

/** A Job's template can't be changed, and nothing is lost with an old one. */
const isFinishedKind = ({ apiVersion, kind }: KubeObject): boolean =>
  kind === 'Job' && apiVersion.startsWith('batch/');

const replacement = (object: KubeObject): ObjectChange => ({
  ...creation(object),
  op: 'update',
  replaces: true,
  reason: `${placeOf(object)} differs where it can't be changed: it is deleted and made again`,
});

/** An object as text, without what every write changes and what controllers report. */
function stable({ metadata, status: _status, ...rest }: KubeObject): string {
  const { managedFields: _1, resourceVersion: _2, generation: _3, ...kept } = metadata;
  return stringifyYaml({ ...rest, metadata: kept });
}

function verdictOf(changes: ObjectChange[]): Verdict {
  if (changes.length === 0) return SATISFIED;
  return {
    standing: changes.every((change) => change.op === 'create') ? 'missing' : 'drifted',
    reasons: changes.map((change) => change.reason),
    changes,
  };
}
