import pLimit from 'p-limit';
import { groupedLines } from '../errors/grouped.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { Effects } from './changes.js';
import { executeChanges } from './changes.js';
import type { Emit } from './events.js';
import { dependencies, refuseCycles } from './graph.js';
import type { Journal } from './journal.js';
import type { EngineContext, Phase, Readers, Verdict } from './phase.js';
import { recheck } from './planner.js';
import { turns } from './turns.js';
import type { ActionChange, Change, TaskPlan } from './types.js';
import { type Unit, unitDependencies, unitsOf } from './units.js';

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

/** Bulk tasks at once: enough to fill a line, few enough that each of them gets through early. */
const BULK_TASKS = 3;

/**
 * Applies planned tasks: each begins as soon as the artefacts it needs exist, so independent phases on
 * different hosts overlap. After its changes a task is checked again; still drifted is an error. When one
 * fails, what depends on it is skipped and the rest goes on.
 * @returns number of changes made
 * @throws the failure, or HOSTS_FAILED when hosts failed differently; ABORTED when stopped
 */
export async function runTasks<C extends EngineContext>(options: RunOptions<C>): Promise<number> {
  const { emit, stop } = options;
  const units = unitsOf(options.phases, options.tasks);
  const graph = unitDependencies(units, dependencies(options.phases, options.tasks));
  const earlier = unitDependencies(units, dependencies(options.phases, options.tasks, 'after'));
  const waitsFor = (unit: Unit) => [...(graph.get(unit) ?? []), ...(earlier.get(unit) ?? [])];
  refuseCycles(
    new Map(units.map((unit) => [unit, waitsFor(unit)])),
    (unit) => `${unit.name} on ${unit.host}`,
  );
  const limit = pLimit(options.concurrency);
  const leaders = leadingUnits(options, units, graph);
  // Where hosts pass on what they get, it comes to all of them at once.
  const passedOn = options.effects.arrived !== undefined;
  const bulk = passedOn ? turns(options.concurrency, 0) : turns(BULK_TASKS, leaders.size);
  const rolling = pLimit(1);
  let broken = false;
  const failures: KeelsonError[] = [];
  const written: Promise<void>[] = [];
  let changed = 0;
  const outcomes = new Map<Unit, Promise<boolean>>();

  const runOne = async (unit: Unit): Promise<boolean> => {
    const [before] = await Promise.all([
      Promise.all((graph.get(unit) ?? []).map(outcomeOf)),
      Promise.all((earlier.get(unit) ?? []).map(outcomeOf)),
    ]);
    const tasks = unit.tasks.filter((task) => task.changes.length > 0);
    if (tasks.length === 0) return before.every(Boolean);
    if (!before.every(Boolean) || stop.aborted) {
      const reason = stop.aborted ? 'stopped' : 'something it needs failed';
      for (const { phase, host } of tasks) emit({ type: 'task-skipped', phase, host, reason });
      return false;
    }
    const rolls = isRolling(options.phases, unit);
    const inTurn = (work: () => Promise<boolean>) => {
      if (isBulk(options.phases, unit)) return bulk(leaders.has(unit), work);
      return rolls ? rolling(() => limit(work)) : limit(work);
    };
    return inTurn(async () => {
      if (stop.aborted) return false;
      if (rolls && broken) {
        const reason = 'it failed on another host';
        for (const { phase, host } of tasks) emit({ type: 'task-skipped', phase, host, reason });
        return false;
      }
      try {
        const made = await runUnit({ ...unit, tasks }, options);
        changed += made;
        // Nothing has to wait for this, nor fails for it: a journal that lacks it says less, never something wrong.
        written.push(options.journal.finish(tasks).catch(() => undefined));
        return true;
      } catch (thrown) {
        const { host } = unit;
        const phase = tasks.length === 1 ? (tasks[0]?.phase ?? unit.name) : unit.name;
        const error = toKeelsonError(thrown).within(host === '' ? { phase } : { host, phase });
        failures.push(error);
        broken ||= rolls;
        emit({ type: 'task-failed', phase: error.phase ?? phase, host, error });
        return false;
      }
    });
  };
  const outcomeOf = (unit: Unit): Promise<boolean> => {
    const known = outcomes.get(unit);
    if (known !== undefined) return known;
    const outcome = Promise.resolve(unit).then(runOne);
    outcomes.set(unit, outcome);
    return outcome;
  };
  const results = await Promise.all(units.map(outcomeOf));
  await Promise.all(written);

  if (stop.aborted && !results.every(Boolean)) throw interrupted(units, results, changed);
  if (failures.length > 0) throw combined(failures);
  return changed;
}

/** Bulk units of the first host that something waits for: there the cluster begins. */
function leadingUnits<C extends EngineContext>(
  { phases, context }: RunOptions<C>,
  units: readonly Unit[],
  graph: ReadonlyMap<Unit, readonly Unit[]>,
): Set<Unit> {
  const first = context.first?.name ?? context.inventory[0]?.name;
  const awaited = new Set([...graph.values()].flat());
  return new Set(
    units.filter(
      (unit) =>
        unit.host === first &&
        isBulk(phases, unit) &&
        awaited.has(unit) &&
        unit.tasks.some((task) => task.changes.length > 0),
    ),
  );
}

function isBulk<C extends EngineContext>(phases: readonly Phase<C>[], unit: Unit): boolean {
  const names = unit.tasks.map((task) => task.phase);
  return phases.some(
    (phase) => phase.target !== 'cluster' && phase.bulk === true && names.includes(phase.name),
  );
}

/** Whether a unit stops something that other hosts must not stop at the same time. */
function isRolling<C extends EngineContext>(phases: readonly Phase<C>[], { tasks }: Unit): boolean {
  const rolling = phases.filter((phase) => phase.target !== 'cluster' && phase.rolling === true);
  return tasks.some(
    (task) =>
      rolling.some((phase) => phase.name === task.phase) &&
      task.changes.some((change) => 'disrupts' in change && change.disrupts === true),
  );
}

/** Does the changes of all tasks of a unit, then looks at all of them again. */
async function runUnit<C extends EngineContext>(unit: Unit, options: RunOptions<C>): Promise<number> {
  const { context, emit, effects, journal } = options;
  const { host, tasks } = unit;
  const started = Date.now();
  const phaseOf = (name: string): Phase<C> => {
    const phase = options.phases.find((candidate) => candidate.name === name);
    if (phase === undefined) throw new KeelsonError('BUG', `the plan names an unknown phase ${name}`);
    return phase;
  };
  const phases = tasks.map((task) => phaseOf(task.phase));
  const owners = new Map(
    tasks.flatMap((task) => task.changes.map((change) => [change, task.phase] as const)),
  );
  const ownerOf = (change: Change) => owners.get(change) ?? unit.name;
  for (const { phase, changes } of tasks)
    emit({ type: 'task-started', phase, host, changes: changes.length });
  await journal.begin(tasks);
  await executeChanges({
    host,
    changes: [...owners.keys()],
    effects,
    action: (change) => runAction(phaseOf(ownerOf(change)), host, change, context, effects),
    onStart: (change) => emit({ type: 'change-started', phase: ownerOf(change), host, change }),
    onFinish: (change) => emit({ type: 'change-finished', phase: ownerOf(change), host, change }),
    stopped: () => options.stop.aborted,
  });
  const looked = phases.filter((phase) => phase.target !== 'cluster' || phase.awaits !== true);
  for (const [phase, verdict] of await recheck(looked, host, context, options.readers)) {
    if (verdict.standing !== 'satisfied') throw stillDrifted(phase, verdict);
  }
  for (const { phase, changes } of tasks) {
    emit({ type: 'task-finished', phase, host, durationMs: Date.now() - started, changes: changes.length });
  }
  return owners.size;
}

function stillDrifted(phase: string, { standing, reasons }: Verdict): KeelsonError {
  return new KeelsonError(
    'CONFLICT',
    `still ${standing} after its changes were made: ${reasons.join('; ')}`,
    {
      phase,
      hint: 'something else on the host changes the same things: see the reasons, then run apply again',
      details: reasons,
    },
  );
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

function interrupted(units: readonly Unit[], results: readonly boolean[], changed: number): KeelsonError {
  const open = units
    .filter((_, index) => results[index] === false)
    .flatMap((unit) => unit.tasks.filter((task) => task.changes.length > 0));
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
  const lines = groupedLines(
    failures.map(({ host, phase, message }) => ({ who: host ?? 'cluster', message: `${phase}: ${message}` })),
  );
  return new KeelsonError(
    codes.size === 1 ? first.code : 'HOSTS_FAILED',
    `${failures.length} tasks failed:\n  ${lines.join('\n  ')}`,
    {
      hint: first.hint,
      details: failures.map(({ host, phase, code, message, details }) => ({
        host,
        phase,
        code,
        message,
        details,
      })),
      cause: first,
    },
  );
}
