import { type ClusterClient, type KubeObject, refOf } from '../cluster/client.js';
import type { ObjectChange } from '../engine/types.js';
import { waitUntil } from '../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { PhaseContext } from '../phases/context.js';
import { isSecret, secretArtefact } from '../phases/secret-object.js';

/** Kinds that others of the same list live in or refer to, applied before the rest. */
const FIRST = ['Namespace', 'CustomResourceDefinition'];

/** Applies objects by server-side apply: what others depend on first, the rest in parallel; deletions last, in order. */
export async function applyObjects(context: PhaseContext, changes: readonly ObjectChange[]): Promise<void> {
  const wanted = changes.filter((change) => change.op !== 'delete');
  const early = wanted.filter((change) => FIRST.includes(change.objectKind));
  const rest = wanted.filter((change) => !FIRST.includes(change.objectKind));
  await Promise.all(early.map((change) => applyOne(context, change)));
  await Promise.all(rest.map((change) => applyOne(context, change)));
  for (const change of changes.filter(({ op }) => op === 'delete')) await applyOne(context, change);
}

/** The object of a change; a Secret is in the manifest alone, and not in the change. */
async function objectOf(context: PhaseContext, change: ObjectChange): Promise<KubeObject> {
  if (change.artefact === undefined) return change.body as unknown as KubeObject;
  const { artefact } = change;
  const [network, addons] = await Promise.all([context.networkObjects(), context.addonObjects()]);
  const found = [...network, ...[...addons.values()].flat()]
    .filter(isSecret)
    .find((one) => secretArtefact(one) === artefact);
  if (found !== undefined) return found;
  throw new KeelsonError('BUG', `unknown secret artefact ${artefact}`);
}

/** True once no such object is there; one that is there is deleted. */
async function isGone(client: ClusterClient, object: KubeObject): Promise<boolean> {
  const live = await client.get(refOf(object));
  if (live === null) return true;
  if (live.metadata.deletionTimestamp === undefined) await client.remove(refOf(object));
  return false;
}

async function applyOne(context: PhaseContext, change: ObjectChange): Promise<void> {
  // A young API server answers 403 or 404 until its own roles and namespaces are there.
  await waitUntil(
    async () => {
      const client = context.api();
      if (client === null) return { met: false, state: 'there is no API yet' };
      try {
        if (change.op === 'delete')
          await client.remove({
            apiVersion: change.apiVersion,
            kind: change.objectKind,
            ...(change.namespace === '' ? {} : { namespace: change.namespace }),
            name: change.name,
          });
        else {
          const object = await objectOf(context, change);
          if (change.replaces === true && !(await isGone(client, object)))
            return { met: false, state: 'the one before is being deleted' };
          await client.apply(object);
        }
        return { met: true, state: '' };
      } catch (thrown) {
        const error = toKeelsonError(thrown);
        const status = (error.details as { status?: number } | undefined)?.status;
        if (error.retryable || status === 403 || status === 404) return { met: false, state: error.message };
        throw new KeelsonError(
          'API',
          `${change.objectKind} ${change.namespace}/${change.name}: ${error.message}`,
          { cause: thrown },
        );
      }
    },
    {
      for: `${change.objectKind} ${change.name} to be applied`,
      deadlineMs: 60_000,
      intervalMs: 100,
      signal: context.signal,
    },
  );
}
