import pLimit from 'p-limit';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { Effects } from './changes.js';
import { executeChanges } from './changes.js';
import type { Emit } from './events.js';
import { dependencies } from './graph.js';
import type { Journal } from './journal.js';
import type { EngineContext, Phase, Readers } from './phase.js';
import { recheck } from './planner.js';
import { turns } from './turns.js';
import type { ActionChange, TaskPlan } from './types.js';

export interface RunOptions<C extends EngineContext> {
  phases: readonly Phase<C>[];
  tasks: readonly TaskPlan[];
  context: C;
  readers: Readers;
  effects: Effects;
  journal: Journal;
  emit: Emit;
  /** Tasks under way at once. */
  concurrency: number;
  /** Soft stop: running changes finish, nothing new begins. */
  stop: AbortSignal;
}

/** Bulk tasks at once: enough to fill a line, few enough that the first of them gets through early. */
const BULK_TASKS = 3;

/**
 * Applies planned tasks: each begins as soon as the artefacts it needs exist, so independent phases on
 * different hosts overlap. After its changes a task is checked again; still drifted is an error. When one
 * fails, what depends on it is skipped and the rest goes on.
 * @returns number of changes made
 * @throws the failure, or HOSTS_FAILED when hosts failed differently; ABORTED when stopped
 */
export async function runTasks<C extends EngineContext>(options: RunOptions<C>): Promise<number> {
  const { tasks, emit, stop } = options;
  const graph = dependencies(options.phases, tasks);
  const limit = pLimit(options.concurrency);
  const bulk = turns(BULK_TASKS);
  const first = options.context.inventory[0]?.name;
  const failures: KeelsonError[] = [];
  let changed = 0;
  const outcomes = new Map<TaskPlan, Promise<boolean>>();

  const runOne = async (task: TaskPlan): Promise<boolean> => {
    const before = await Promise.all((graph.get(task) ?? []).map(outcomeOf));
    if (task.changes.length === 0) return before.every(Boolean);
    if (!before.every(Boolean) || stop.aborted) {
      const reason = stop.aborted ? 'stopped' : 'something it needs failed';
      emit({ type: 'task-skipped', phase: task.phase, host: task.host, reason });
      return false;
    }
    const phase = options.phases.find((candidate) => candidate.name === task.phase);
    const isBulk = phase !== undefined && phase.target !== 'cluster' && phase.bulk === true;
    const inTurn = (work: () => Promise<boolean>) =>
      isBulk ? bulk(task.host === first ? 0 : 1, work) : limit(work);
    return inTurn(async () => {
      if (stop.aborted) return false;
      try {
        const made = await runTask(task, options);
        changed += made;
        return true;
      } catch (thrown) {
        const error = toKeelsonError(thrown).within(
          task.host === '' ? { phase: task.phase } : { host: task.host, phase: task.phase },
        );
        failures.push(error);
        emit({ type: 'task-failed', phase: task.phase, host: task.host, error });
        return false;
      }
    });
  };
  const outcomeOf = (task: TaskPlan): Promise<boolean> => {
    const known = outcomes.get(task);
    if (known !== undefined) return known;
    const outcome = Promise.resolve(task).then(runOne);
    outcomes.set(task, outcome);
    return outcome;
  };
  const results = await Promise.all(tasks.map(outcomeOf));

  if (stop.aborted && !results.every(Boolean)) throw interrupted(tasks, results, changed);
  if (failures.length > 0) throw combined(failures);
  return changed;
}

async function runTask<C extends EngineContext>(task: TaskPlan, options: RunOptions<C>): Promise<number> {
  const { context, emit, effects, journal } = options;
  const phase = options.phases.find((candidate) => candidate.name === task.phase);
  if (phase === undefined) throw new KeelsonError('BUG', `the plan names an unknown phase ${task.phase}`);
  const { host } = task;
  const started = Date.now();
  emit({ type: 'task-started', phase: task.phase, host, changes: task.changes.length });
  await journal.begin(task);
  await executeChanges({
    host,
    changes: task.changes,
    effects,
    action: (change) => runAction(phase, host, change, context, effects),
    onStart: (change) => emit({ type: 'change-started', phase: task.phase, host, change }),
    onFinish: (change) => emit({ type: 'change-finished', phase: task.phase, host, change }),
    stopped: () => options.stop.aborted,
  });
  const after = await recheck(phase, host, context, options.readers);
  if (after.standing !== 'satisfied') {
    throw new KeelsonError(
      'CONFLICT',
      `still ${after.standing} after its changes were made: ${after.reasons.join('; ')}`,
      {
        hint: 'something else on the host changes the same things: see the reasons, then run apply again',
        details: after.reasons,
      },
    );
  }
  await journal.finish(task);
  emit({
    type: 'task-finished',
    phase: task.phase,
    host,
    durationMs: Date.now() - started,
    changes: task.changes.length,
  });
  return task.changes.length;
}

async function runAction<C extends EngineContext>(
  phase: Phase<C>,
  host: string,
  change: ActionChange,
  context: C,
  effects: Effects,
): Promise<void> {
  const unknown = () => new KeelsonError('BUG', `phase ${phase.name} has no action ${change.name}`);
  if (phase.target === 'cluster') {
    const code = phase.actions?.[change.name];
    if (code === undefined) throw unknown();
    return code(context, change);
  }
  const code = phase.actions?.[change.name];
  if (code === undefined) throw unknown();
  return code(context, effects.host(host), change);
}

function interrupted(tasks: readonly TaskPlan[], results: readonly boolean[], changed: number): KeelsonError {
  const open = tasks.filter((task, index) => results[index] === false && task.changes.length > 0);
  const names = open
    .slice(0, 5)
    .map((task) => (task.host === '' ? task.phase : `${task.phase} on ${task.host}`));
  const more = open.length > names.length ? ` and ${open.length - names.length} more` : '';
  return new KeelsonError(
    'ABORTED',
    `interrupted after ${changed} changes; still to do: ${names.join(', ')}${more}`,
    {
      hint: 'run keelson apply again: it goes on from here',
    },
  );
}

function combined(failures: readonly KeelsonError[]): KeelsonError {
  const [first] = failures;
  if (first === undefined) throw new KeelsonError('BUG', 'no failure to report');
  if (failures.length === 1) return first;
  const codes = new Set(failures.map((failure) => failure.code));
  const lines = failures.map(
    (failure) => `${failure.host ?? 'cluster'}: ${failure.phase}: ${failure.message}`,
  );
  return new KeelsonError(
    codes.size === 1 ? first.code : 'HOSTS_FAILED',
    `${failures.length} tasks failed:\n  ${lines.join('\n  ')}`,
    {
      hint: first.hint,
      details: failures.map((failure) => failure.details),
      cause: first,
    },
  );
}
