import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { refOf } from '../cluster/client.js';
import type { ObjectRef } from '../cluster/paths.js';

/** Field manager of everything that keelson applies. */
const MANAGER = 'keelson';
/** What was there before keelson came, and stays when it leaves the file. */
const FOUND = 'found';

const PREFIX = 'keelson-objects-';

/** Where it stands what keelson has made for a set. */
export const inventoryRef = (set: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: `${PREFIX}${set}`,
});

/** An object of a set, as the set's record names it. */
export interface Recorded {
  ref: ObjectRef;
  /** It was there before, and keelson only changed it. */
  found: boolean;
}

/** Whatever the version of its API: what makes an object the same one. */
export function identityOf({ apiVersion, kind, namespace, name }: ObjectRef): string {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  return [group, kind, namespace ?? '', name].join(' ');
}

/** One line an object: `apps/v1 Deployment shop web`, and `found` where it is so. */
function lineOf({ ref: { apiVersion, kind, namespace, name }, found }: Recorded): string {
  return [apiVersion, kind, namespace ?? '', name, ...(found ? [FOUND] : [])].join(' ');
}

function parseLine(line: string): Recorded {
  const [apiVersion = '', kind = '', namespace = '', name = '', found] = line.split(' ');
  const ref = { apiVersion, kind, name, ...(namespace === '' ? {} : { namespace }) };
  return { ref, found: found === FOUND };
}

/** The record of a set as an object. */
export function recordOf(set: string, recorded: readonly Recorded[]): KubeObject {
  const { apiVersion, kind, namespace, name } = inventoryRef(set);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace },
    data: { objects: recorded.map((one) => `${lineOf(one)}\n`).join('') },
  };
}

/** What the record of a set names, by identity; null where there is none. */
export async function readRecord(client: ClusterClient, set: string): Promise<Map<string, Recorded> | null> {
  const found = await client.get(inventoryRef(set));
  if (found === null) return null;
  const text = (found.data as { objects?: string } | undefined)?.objects ?? '';
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map(parseLine).map((one) => [identityOf(one.ref), one]));
}

const managersOf = ({ metadata }: KubeObject) =>
  (metadata.managedFields ?? []) as { manager?: string; operation?: string }[];

const isKeelsons = ({ manager, operation }: { manager?: string; operation?: string }): boolean =>
  manager === MANAGER && operation === 'Apply';

/**
 * True where all that is in an object is somebody else's: it was made under the name of one that keelson deleted.
 * What has only a name, a Namespace or a ServiceAccount, has no field of anybody's.
 */
export function isSomebodyElses(live: KubeObject): boolean {
  const managers = managersOf(live);
  return managers.length > 0 && !managers.some(isKeelsons);
}

/** Names of the records of all sets. */
export async function recordNames(client: ClusterClient): Promise<string[]> {
  const maps = await client.list('/api/v1/namespaces/kube-system/configmaps');
  return maps.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(PREFIX));
}

/**
 * How objects of a set go into its record. One that is there and in no record was there before keelson came.
 * @param before what the record of the set names now
 */
export async function recordedAs(
  client: ClusterClient,
  objects: readonly { object: KubeObject; live: KubeObject | null }[],
  before: ReadonlyMap<string, Recorded> | null,
): Promise<Recorded[]> {
  let others: Promise<Set<string>> | undefined;
  const isRecorded = async (identity: string): Promise<boolean> => {
    others ??= madeFor(client);
    return (await others).has(identity);
  };
  return Promise.all(
    objects.map(async ({ object, live }) => {
      const ref = refOf(object);
      const identity = identityOf(ref);
      const known = before?.get(identity);
      if (known !== undefined) return { ref, found: known.found };
      const made = live === null || managersOf(live).some(isKeelsons) || (await isRecorded(identity));
      return { ref, found: !made };
    }),
  );
}

/** Identities of what keelson made for any set. */
async function madeFor(client: ClusterClient): Promise<Set<string>> {
  const names = await recordNames(client);
  const records = await Promise.all(names.map((name) => readRecord(client, name.slice(PREFIX.length))));
  const made = records.flatMap((record) => [...(record ?? [])].filter(([, { found }]) => !found));
  return new Set(made.map(([identity]) => identity));
}
