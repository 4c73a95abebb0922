import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { refOf, statusOf } from '../cluster/client.js';
import type { ObjectRef } from '../cluster/paths.js';
import { unifiedDiff } from '../engine/files.js';
import { SATISFIED, type Verdict } from '../engine/phase.js';
import type { ObjectChange } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { stringifyYaml } from '../manifests/yaml.js';
import type { PhaseContext } from './context.js';
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
}

/** Where it stands what keelson has made for a set. */
export const inventoryRef = (set: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: `keelson-objects-${set}`,
});

const lineOf = ({ apiVersion, kind, namespace, name }: ObjectRef): string =>
  [apiVersion, kind, namespace ?? '', name].join(' ');

function parseLine(line: string): ObjectRef {
  const [apiVersion = '', kind = '', namespace = '', name = ''] = line.split(' ');
  return { apiVersion, kind, name, ...(namespace === '' ? {} : { namespace }) };
}

function inventory(set: string, lines: readonly string[]): KubeObject {
  const { apiVersion, kind, namespace, name } = inventoryRef(set);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace },
    data: { objects: lines.map((line) => `${line}\n`).join('') },
  };
}

/**
 * What has to change for a set. The server itself is asked what an apply would make of each object (dry run), since
 * it fills in defaults and writes quantities its own way.
 */
export async function objectSetVerdict({ api }: Pick<PhaseContext, 'api'>, set: ObjectSet): Promise<Verdict> {
  const client = api();
  const wanted = set.objects.map((object) => lineOf(refOf(object)));
  const all = [inventory(set.name, wanted), ...set.objects].map((object) => creation(object));
  if (client === null) return verdictOf(all);
  try {
    const listed = await inventoryOf(client, set.name);
    const compared = await Promise.all(set.objects.map((object) => compare(client, object)));
    const refused = compared.flatMap((found) => (typeof found === 'string' ? [found] : []));
    if (refused.length > 0) return { standing: 'blocked', reasons: refused, changes: [] };
    const changes = compared.filter(
      (found): found is ObjectChange => found !== null && typeof found !== 'string',
    );
    const deletions = await staleOf(client, listed ?? [], wanted);
    const known = new Set(listed);
    if (listed === null || wanted.some((line) => !known.has(line))) {
      const lines = [...wanted, ...deletions.map((change) => lineOf(refOfChange(change)))];
      const record = inventory(set.name, lines);
      const reason = `${placeOf(record)} has to name them`;
      changes.unshift({ ...creation(record), ...(listed === null ? {} : { op: 'update' }), reason });
    }
    return verdictOf([...changes, ...deletions]);
  } catch (error) {
    // Before the first start there is nothing that could answer.
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return verdictOf(all);
    throw error;
  }
}

/** Lines of what keelson has made for a set; null where it has made nothing. */
async function inventoryOf(client: ClusterClient, set: string): Promise<string[] | null> {
  const found = await client.get(inventoryRef(set));
  if (found === null) return null;
  const text = (found.data as { objects?: string } | undefined)?.objects ?? '';
  return text.split('\n').filter((line) => line !== '');
}

const refOfChange = ({ apiVersion, objectKind, namespace, name }: ObjectChange): ObjectRef => ({
  apiVersion,
  kind: objectKind,
  name,
  ...(namespace === '' ? {} : { namespace }),
});

/** Deletions of what was made and is not wanted any more, the last made first. */
async function staleOf(
  client: ClusterClient,
  listed: readonly string[],
  wanted: readonly string[],
): Promise<ObjectChange[]> {
  const keep = new Set(wanted);
  const found = await Promise.all(
    listed
      .filter((line) => !keep.has(line))
      .toReversed()
      .map(async (line): Promise<ObjectChange | null> => {
        const ref = parseLine(line);
        const live = await client.get(ref);
        if (live === null || live.metadata.deletionTimestamp !== undefined) return null;
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
      }),
  );
  return found.filter((change) => change !== null);
}

/** The change of one object, null where there is none, or why the server refuses it. */
async function compare(client: ClusterClient, object: KubeObject): Promise<ObjectChange | string | null> {
  const live = await client.get(refOf(object));
  if (live === null) return creation(object);
  let after: KubeObject;
  try {
    after = await client.apply(object, { dryRun: true });
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) return creation(object);
    if (status !== 400 && status !== 422) throw error;
    return `${placeOf(object)} is refused: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (stable(live) === stable(after)) return null;
  const place = placeOf(object);
  const [before, then] = isSecret(object) ? maskedPair(live, after) : [live, after];
  return {
    ...creation(object),
    op: 'update',
    diff: unifiedDiff(place, stable(before), stable(then)),
    reason: `${place} differs`,
  };
}

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
