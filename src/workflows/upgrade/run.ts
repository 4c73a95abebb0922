import { hostJournal, type Journal } from '../../engine/journal.js';
import { runTasks } from '../../engine/runner.js';
import type { Change, TaskPlan } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { KeelsonPhase } from '../../phases/context.js';
import { makePlan } from '../plan.js';
import { refuseBlocked } from '../refuse-blocked.js';
import type { Session } from '../session.js';
import type { Hop } from './path.js';
import type { MaintenanceWindow } from './window.js';

/** One step of an upgrade or of a rollback, as its parts see it. */
export interface Step {
  session: Session;
  hop: Hop;
  direction: 'upgrade' | 'rollback';
  journal: Journal;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop: AbortSignal;
  /** Nothing new begins outside of it. */
  window: MaintenanceWindow | null;
}

export function stepJournal(session: Session, run: string): Journal {
  const { context, effects } = session;
  return hostJournal({ run, host: effects.host, fallback: context.first.name, now: context.now });
}

/** Actions by which hosts join; an upgrade is for those that have. */
const JOINING = ['bootstrap', 'join', 'start', 'promote'];

/**
 * Tasks of some phases that change something, as reality is now.
 * @param hosts only these; default all
 * @throws PREFLIGHT for what is blocked; CONFLICT for hosts that have not joined yet
 */
export async function tasksOf(
  session: Session,
  phases: readonly KeelsonPhase[],
  hosts?: readonly string[],
): Promise<TaskPlan[]> {
  const plan = await makePlan(session, { phases, ...(hosts === undefined ? {} : { hosts }) });
  refuseBlocked(plan);
  const tasks = plan.tasks.filter((task) => task.changes.length > 0);
  const open = tasks.find(({ changes }) => changes.some(isJoining));
  if (open !== undefined) {
    throw new KeelsonError('CONFLICT', `${open.host} is not a whole part of the cluster yet`, {
      host: open.host,
      hint: 'run keelson apply with the version that the cluster has; then upgrade',
      details: open.reasons,
    });
  }
  return tasks;
}

const isJoining = (change: Change) => change.kind === 'action' && JOINING.includes(change.name);

/** Does tasks as an apply does. @returns number of changes */
export async function runStepTasks(
  { session, journal, stop }: Step,
  phases: readonly KeelsonPhase[],
  tasks: readonly TaskPlan[],
): Promise<number> {
  if (tasks.length === 0) return 0;
  const { context, readers, effects, emit } = session;
  return runTasks({
    phases,
    tasks,
    context,
    readers,
    effects,
    journal,
    emit,
    concurrency: Math.max(8, context.config.spec.concurrency * 4),
    stop,
  });
}
