import type { EngineContext, Phase } from '../engine/phase.js';
import { planTasks } from '../engine/planner.js';
import type { Plan } from '../engine/types.js';
import type { PhaseContext } from '../phases/context.js';
import { APPLY_PHASES } from '../phases/phases.js';
import { trustHolders } from './require.js';
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

/** What an apply would do now. Reads only: one round trip a host, and the API. */
export async function makePlan(session: Session, selection: PlanSelection = {}): Promise<Plan> {
  const { context } = session;
  const tasks = await planTasks({
    phases: selection.phases ?? APPLY_PHASES,
    context,
    readers: session.readers,
    emit: session.emit,
    // Whatever is planned for: the cluster's CA and admin identity, and etcd's CA.
    background: new Map(trustHolders(context).map((name) => [name, context.trust.request(name)])),
    onObserved: (host, seen) => context.trust.observed(host, seen),
    ...(selection.hosts === undefined ? {} : { limit: new Set(selection.hosts) }),
  });
  return { formatVersion: 1, cluster: context.config.name, configDigest: session.configDigest, tasks };
}

/** Number of changes in a plan. */
export function changesIn(plan: Plan): number {
  return plan.tasks.reduce((sum, task) => sum + task.changes.length, 0);
}
