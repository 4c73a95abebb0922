import type { EngineContext, Phase } from '../engine/phase.js';
import { planTasks } from '../engine/planner.js';
import type { Plan } from '../engine/types.js';
import type { ReadRequest } from '../host/types.js';
import type { PhaseContext } from '../phases/context.js';
import { APPLY_PHASES } from '../phases/phases.js';
import { waitControlPlane } from '../phases/wait/control-plane.js';
import { foundationsOn, refuseOtherHosts, refuseOtherNetworking } from './foundations.js';
import { leavingHosts, planLeaving, reachLeaving } from './leave.js';
import { trustHolders } from './require.js';
import { ROTATION_STATE, refuseRotation, rotationIn } from './rotate/store.js';
import { refuseSecondCluster } from './second-cluster.js';
import type { Session } from './session.js';

export interface PlanSelection {
  /** Phases to plan; default all of an apply. */
  phases?: readonly Phase<PhaseContext>[];
  /** Only these hosts. */
  hosts?: readonly string[];
}

/** Phases that this cluster has, in order. */
export function phasesOf<C extends EngineContext>(context: C, phases: readonly Phase<C>[]): Phase<C>[] {
  return phases.filter((phase) => phase.runIf?.(context) ?? true);
}

/**
 * What an apply would do now, hosts that the file wants removed included. Reads only: one round trip a host, and
 * the API.
 * @throws CONNECTION where a host that is to be removed can't be reached; CONFLICT for a file that can't be that of
 * the running cluster or would make a second one, and while certificates are being rotated
 */
export async function makePlan(session: Session, selection: PlanSelection = {}): Promise<Plan> {
  const { context } = session;
  const tasks = await planTasks({
    phases: selection.phases ?? APPLY_PHASES,
    context,
    readers: session.readers,
    emit: session.emit,
    background: background(context, selection.hosts),
    onObserved: (observed) => {
      if (selection.phases === undefined) {
        refuseRotation(rotationIn(observed));
        refuseOtherHosts(context, observed);
      }
      for (const [host, seen] of observed) context.trust.observed(host, seen);
    },
    ...(selection.hosts === undefined ? {} : { limit: new Set(selection.hosts) }),
  });
  const plan = {
    formatVersion: 1,
    cluster: context.config.name,
    configDigest: session.configDigest,
  } as const;
  const client = context.api();
  if (selection.phases === undefined && client !== null && silentApi(session, { ...plan, tasks }) === null)
    await refuseOtherNetworking(context, client);
  // Only an apply of everything removes anything.
  if (selection.phases !== undefined || selection.hosts !== undefined) return { ...plan, tasks };
  await refuseSecondCluster(session);
  const leaving = await leavingHosts(session);
  if (leaving.length === 0) return { ...plan, tasks };
  await reachLeaving(session, leaving);
  return { ...plan, tasks: [...tasks, ...(await planLeaving(session, leaving))], leaving };
}

/**
 * What is read whatever is planned, of the hosts that are planned for and of control planes: what they are part of,
 * the authorities, the admin identity, and rotations.
 */
function background(context: PhaseContext, hosts?: readonly string[]): Map<string, ReadRequest> {
  const holders = trustHolders(context);
  const looked = context.inventory.filter(
    ({ name, role }) => hosts?.includes(name) !== false || role === 'control-plane' || holders.includes(name),
  );
  return new Map(
    looked.map(({ name, role }) => [
      name,
      mergeReads([
        foundationsOn(context, name),
        ...(holders.includes(name) ? [context.trust.request(name)] : []),
        ...(role === 'control-plane' ? [{ files: [ROTATION_STATE] }] : []),
      ]),
    ]),
  );
}

const mergeReads = (requests: readonly ReadRequest[]): ReadRequest => ({
  files: requests.flatMap(({ files = [] }) => files),
  stats: requests.flatMap(({ stats = [] }) => stats),
  probes: Object.assign({}, ...requests.map(({ probes }) => probes)),
});

/**
 * Why the API of a cluster that is there does not answer, null where it does: its objects could not be compared then,
 * and stand in the plan as if they were missing.
 */
export function silentApi({ context }: Session, plan: Plan): string | null {
  if (context.trust.admin() === null) return null;
  const waiting = plan.tasks.find(
    (task) => task.phase === waitControlPlane.name && task.standing !== 'satisfied',
  );
  return waiting?.reasons[0] ?? null;
}

/** Number of changes in a plan. */
export function changesIn(plan: Plan): number {
  return plan.tasks.reduce((sum, task) => sum + task.changes.length, 0);
}
