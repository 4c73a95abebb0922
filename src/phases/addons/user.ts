import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import type { AddonSpec } from '../../config/types.js';
import { SATISFIED, type Verdict } from '../../engine/phase.js';
import type { ActionChange } from '../../engine/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { ADDONS, API, NETWORK, NODES } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { withPodEvidence } from '../evidence.js';
import { inventoryRef, recordNames } from '../object-record.js';
import { objectSetVerdict } from '../object-set.js';
import { unreadyWorkloads } from './workloads.js';

/** The set of objects of an add-on. */
const setOf = (addon: string): string => `addon-${addon}`;
const PREFIX = inventoryRef(setOf('')).name;

/** Add-ons with those that they need before them, otherwise in the order of the file. */
export function inOrderOfNeeds(addons: readonly AddonSpec[]): AddonSpec[] {
  const ordered: AddonSpec[] = [];
  const add = (addon: AddonSpec): void => {
    if (ordered.includes(addon)) return;
    for (const need of addons.filter(({ name }) => addon.needs.includes(name))) add(need);
    ordered.push(addon);
  };
  for (const addon of addons) add(addon);
  return ordered;
}

export const userAddons = defineClusterPhase({
  name: 'addon/user',
  summary: 'add-ons of spec.addons, each after those that it needs; what left the file is removed',
  target: 'cluster',
  needs: [API],
  after: [NODES, NETWORK, ADDONS],
  provides: [],
  check: async (context) => {
    const objects = await context.addonObjects();
    const elsewhere = [...[...objects.values()].flat(), ...(await context.networkObjects())];
    const verdicts = await Promise.all([
      ...inOrderOfNeeds(context.config.spec.addons).map((addon) =>
        addonVerdict(context, addon, objects.get(addon.name) ?? [], elsewhere),
      ),
      removedVerdict(context, elsewhere),
    ]);
    return together(verdicts);
  },
  actions: { wait: awaitAddon },
});

/** What has to change for one add-on: its objects, then the wait for them. */
async function addonVerdict(
  context: PhaseContext,
  addon: AddonSpec,
  objects: readonly KubeObject[],
  elsewhere: readonly KubeObject[],
): Promise<Verdict> {
  const verdict = await objectSetVerdict(context, { name: setOf(addon.name), objects, elsewhere });
  if (addon.waitMs === 0 || verdict.standing === 'blocked') return verdict;
  const wait: ActionChange = {
    kind: 'action',
    name: 'wait',
    summary: `wait until ${addon.name} is ready`,
    params: { addon: addon.name },
  };
  if (verdict.changes.length > 0) return { ...verdict, changes: [...verdict.changes, wait] };
  const unready = await unreadyOf(context, objects);
  return unready.length === 0 ? verdict : { standing: 'missing', reasons: unready, changes: [wait] };
}

async function unreadyOf({ api }: PhaseContext, objects: readonly KubeObject[]): Promise<string[]> {
  const client = api();
  if (client === null) return [];
  try {
    return await unreadyWorkloads(client, objects);
  } catch (error) {
    return [toKeelsonError(error).message];
  }
}

/** Deletion of what add-ons have made that are not in the file any more, but for what others have taken over. */
async function removedVerdict(context: PhaseContext, elsewhere: readonly KubeObject[]): Promise<Verdict> {
  const client = context.api();
  if (client === null) return SATISFIED;
  const named = new Set(context.config.spec.addons.map(({ name }) => inventoryRef(setOf(name)).name));
  const verdicts = (await recordsIn(client))
    .filter((record) => !named.has(record))
    .map(async (record): Promise<Verdict> => {
      const set = record.slice(inventoryRef('').name.length);
      const { changes } = await objectSetVerdict(context, { name: set, objects: [], elsewhere });
      const { apiVersion, kind, namespace, name } = inventoryRef(set);
      const reason = `the add-on ${record.slice(PREFIX.length)} is not in the file any more`;
      return {
        standing: 'drifted',
        reasons: [reason],
        changes: [
          ...changes,
          { kind: 'object', op: 'delete', apiVersion, objectKind: kind, namespace, name, reason },
        ],
      };
    });
  return together(await Promise.all(verdicts));
}

/** Names of the records of what add-ons have made; none before there is an API. */
async function recordsIn(client: ClusterClient): Promise<string[]> {
  try {
    return (await recordNames(client)).filter((name) => name.startsWith(PREFIX));
  } catch (error) {
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return [];
    throw error;
  }
}

const WORST = ['satisfied', 'missing', 'drifted', 'blocked'] as const;

/** One verdict of several: the worst standing, all changes in order; what is blocked has none. */
function together(verdicts: readonly Verdict[]): Verdict {
  const [standing = 'satisfied'] = WORST.toReversed().filter((candidate) =>
    verdicts.some((verdict) => verdict.standing === candidate),
  );
  const of = standing === 'blocked' ? verdicts.filter((verdict) => verdict.standing === 'blocked') : verdicts;
  return {
    standing,
    reasons: of.flatMap(({ reasons }) => reasons),
    changes: of.flatMap(({ changes }) => changes),
  };
}

async function awaitAddon(context: PhaseContext, { params = {} }: ActionChange): Promise<void> {
  const addon = context.config.spec.addons.find(({ name }) => name === params.addon);
  if (addon === undefined) throw new KeelsonError('BUG', `there is no add-on ${params.addon}`);
  const objects = (await context.addonObjects()).get(addon.name) ?? [];
  const what = `the add-on ${addon.name}`;
  try {
    await waitUntil(
      async () => {
        const unready = await unreadyOf(context, objects);
        return { met: unready.length === 0, state: unready.join('; ') };
      },
      {
        for: what,
        deadlineMs: addon.waitMs,
        intervalMs: 250,
        signal: context.signal,
        hint: 'kubectl get pods -A -o wide and kubectl describe show what a pod waits for; spec.addons[].wait gives it longer',
        onState: (last) => context.emit({ type: 'waiting', phase: 'addon/user', host: '', for: what, last }),
      },
    );
  } catch (error) {
    throw await withPodEvidence(error, context.api());
  }
}
