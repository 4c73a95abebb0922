import type { Emit } from '../engine/events.js';
import { hostJournal } from '../engine/journal.js';
import { runTasks } from '../engine/runner.js';
import { settle } from '../engine/settle.js';
import type { Plan } from '../engine/types.js';
import { toKeelsonError } from '../errors/keelson-error.js';
import { APPLY_PHASES } from '../phases/phases.js';
import { deliverTasks } from './deliver.js';
import { readFoundations, refuseOtherHosts } from './foundations.js';
import { isLeaving, LEAVE_DEFAULTS, runLeaving } from './leave.js';
import { refuseLocked, withLock } from './lock.js';
import { changesIn, makePlan, type PlanSelection } from './plan.js';
import { runPreflight } from './preflight.js';
import { refuseBlocked } from './refuse-blocked.js';
import { reportedRun } from './reported.js';
import { refuseOtherFile, refuseStale } from './saved-plan.js';
import type { Session } from './session.js';
import { refuseOtherVersion } from './upgrade/guard.js';

export interface ApplyOptions extends PlanSelection {
  /** A saved plan: refused where reality or the file has moved since. */
  saved?: Plan;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
  /** Name of the run in events and journals; default `apply`. */
  run?: string;
  /** Who holds the lock, as others are told. */
  owner: string;
  /** Names of preflight checks whose errors are warnings, beside those of the cluster file; `all` for every one. */
  ignorePreflightErrors?: readonly string[];
  /** What comes after everything planned, within the run and its lock. */
  afterwards?: (emit: Emit) => Promise<void>;
  /** False leaves preflight out; what is blocked is refused all the same. */
  preflight?: boolean;
}

export interface ApplyResult {
  plan: Plan;
  changed: number;
  durationMs: number;
}

/**
 * The plan that an apply would execute. Reads only.
 * @throws as makePlan does, and CONFLICT where an upgrade has to do it
 */
export async function planApply(session: Session, selection: PlanSelection): Promise<Plan> {
  const plan = await makePlan(session, selection);
  if (changesIn(plan) > 0) await refuseOtherVersion(session);
  return plan;
}

/**
 * Makes the cluster what its configuration says: plans, refuses what is blocked, then executes exactly that
 * plan. Safe to repeat and to interrupt: the next run goes on from there.
 * @throws PREFLIGHT for what the hosts lack and for what is blocked, CONFLICT for a stale plan, LOCKED, ABORTED, and what a host said
 */
export async function applyCluster(session: Session, options: ApplyOptions): Promise<ApplyResult> {
  const { context } = session;
  const started = context.now();
  const run = options.run ?? 'apply';
  if (options.saved !== undefined) {
    refuseOtherFile(options.saved, { cluster: context.config.name, configDigest: session.configDigest });
  }
  // Someone else's run is told of at once, not after preflight.
  await refuseLocked(session);
  // Before the lock, which is a file on a host: where preflight fails nothing at all was changed.
  if (options.preflight !== false) {
    const selection = {
      ...(options.hosts === undefined ? {} : { hosts: options.hosts }),
      ...(options.ignorePreflightErrors === undefined ? {} : { ignore: options.ignorePreflightErrors }),
    };
    try {
      await runPreflight(session, selection);
    } catch (error) {
      // Of hosts that belong to another file than this one preflight tells only what follows from it.
      if (toKeelsonError(error).code === 'PREFLIGHT')
        refuseOtherHosts(context, await readFoundations(session));
      throw error;
    }
  }
  return withLock(session, { owner: options.owner, run }, async () => {
    const plan = await makePlan(session, options);
    refuseBlocked(plan);
    await refuseOtherVersion(session);
    if (options.saved !== undefined) refuseStale(options.saved, plan);
    const leaving = plan.leaving ?? [];
    const hosts = [...context.inventory.map((host) => host.name), ...leaving];
    const phases = options.phases ?? APPLY_PHASES;
    const stop = options.stop ?? new AbortController().signal;
    const done = await reportedRun(session, { run, hosts, tasks: plan.tasks }, started, async (counted) => {
      const tasks = plan.tasks.filter((task) => !isLeaving(task));
      const delivery = await deliverTasks(session, tasks, context.signal);
      let installed = false;
      try {
        await runTasks({
          phases,
          tasks,
          context,
          readers: session.readers,
          effects: { ...session.effects, ...delivery?.effects },
          journal: hostJournal({
            run,
            host: session.effects.host,
            fallback: context.first.name,
            now: context.now,
          }),
          emit: counted,
          concurrency: Math.max(8, context.config.spec.concurrency * 4),
          stop,
        });
        installed = true;
      } finally {
        await delivery?.close(installed);
      }
      // Whoever comes has joined by now, so that pods and etcd have somewhere to go.
      await runLeaving({ ...session, emit: counted }, leaving, {
        tasks: plan.tasks.filter(isLeaving),
        drain: LEAVE_DEFAULTS,
        stop,
      });
      await options.afterwards?.(counted);
      if (changesIn(plan) > 0) await settle({ phases, context, emit: counted, stop });
    });
    return { plan, ...done };
  });
}
