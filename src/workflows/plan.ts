import type { EngineContext, Phase } from '../engine/phase.js';
import { planTasks } from '../engine/planner.js';
import type { Plan } from '../engine/types.js';
import type { ReadRequest } from '../host/types.js';
import type { PhaseContext } from '../phases/context.js';
import { APPLY_PHASES } from '../phases/phases.js';
import { waitControlPlane } from '../phases/wait/control-plane.js';
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
 * @throws CONNECTION where a host that is to be removed can't be reached; CONFLICT for a file that would make a
 * second cluster, and while certificates are being rotated
 */
export async function makePlan(session: Session, selection: PlanSelection = {}): Promise<Plan> {
  const { context } = session;
  const tasks = await planTasks({
    phases: selection.phases ?? APPLY_PHASES,
    context,
    readers: session.readers,
    emit: session.emit,
    background: background(context),
    onObserved: (observed) => {
      if (selection.phases === undefined) refuseRotation(rotationIn(observed));
      for (const [host, seen] of observed) context.trust.observed(host, seen);
    },
    ...(selection.hosts === undefined ? {} : { limit: new Set(selection.hosts) }),
  });
  const plan = {
    formatVersion: 1,
    cluster: context.config.name,
    configDigest: session.configDigest,
  } as const;
  // Only an apply of everything removes anything.
  if (selection.phases !== undefined || selection.hosts !== undefined) return { ...plan, tasks };
  await refuseSecondCluster(session);
  const leaving = await leavingHosts(session);
  if (leaving.length === 0) return { ...plan, tasks };
  await reachLeaving(session, leaving);
  return { ...plan, tasks: [...tasks, ...(await planLeaving(session, leaving))], leaving };
}

/** What is read whatever is planned for: the authorities, the admin identity, and whether they are being rotated. */
function background(context: PhaseContext): Map<string, ReadRequest> {
  const holders = trustHolders(context);
  const planes = context.inventory.filter((host) => host.role === 'control-plane').map((host) => host.name);
  return new Map(
    [...new Set([...holders, ...planes])].map((name) => {
      const { files = [], ...rest } = holders.includes(name) ? context.trust.request(name) : {};
      return [name, { ...rest, files: [...files, ROTATION_STATE] }];
    }),
  );
}

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
