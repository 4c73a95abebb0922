import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { ReadRequest, ReadResult } from '../host/types.js';
import type { Emit } from './events.js';
import { mergeRequests, viewFor } from './observe.js';
import type { EngineContext, HostPhase, Phase, Readers, Verdict } from './phase.js';
import { targetsOf } from './phase.js';
import type { TaskPlan } from './types.js';

export interface PlanOptions<C extends EngineContext> {
  phases: readonly Phase<C>[];
  context: C;
  readers: Readers;
  emit: Emit;
  /** Only these hosts; cluster phases stay in. */
  limit?: ReadonlySet<string>;
  /** What is read of a host beside the phases' wishes, also of hosts outside of the limit. */
  background?: ReadonlyMap<string, ReadRequest>;
  /** Sees the background's answers, with all files, before any phase plans (for artefacts that come from reality). */
  onObserved?: (seen: ReadonlyMap<string, ReadResult>) => void;
}

/** Who asks for the background; no phase has this name. */
const BACKGROUND = '';

/**
 * Observes every host once (one round trip each, in parallel), then asks every phase what has to change.
 * Reads only.
 * @returns one task for each phase and host, satisfied ones included, in phase order
 */
export async function planTasks<C extends EngineContext>(options: PlanOptions<C>): Promise<TaskPlan[]> {
  const { context, emit, limit } = options;
  const phases = options.phases.filter((phase) => phase.runIf?.(context) ?? true);
  const hostPhases = phases.filter((phase): phase is HostPhase<C> => phase.target !== 'cluster');

  const observed = new Map<string, ReadResult>();
  await Promise.all(
    context.inventory.map(async ({ name }) => {
      const requests = new Map<string, ReadRequest>();
      const background = options.background?.get(name);
      if (background !== undefined) requests.set(BACKGROUND, background);
      for (const phase of limit === undefined || limit.has(name) ? hostPhases : []) {
        if (targetsOf(phase, context).includes(name)) requests.set(phase.name, phase.observe(context, name));
      }
      if (requests.size === 0) return;
      const reader = options.readers.get(name);
      if (reader === undefined) return;
      const seen = await reader.read(mergeRequests(requests), { signal: context.signal });
      observed.set(name, seen);
    }),
  );
  options.onObserved?.(new Map([...observed].map(([host, seen]) => [host, viewFor(BACKGROUND, seen)])));
  await Promise.all(
    hostPhases
      .filter((phase) => targetsOf(phase, context).some((host) => observed.has(host)))
      .map((phase) => phase.consult?.(context)),
  );

  const tasks: TaskPlan[] = [];
  for (const phase of phases) {
    for (const host of targetsOf(phase, context)) {
      if (host !== '' && limit !== undefined && !limit.has(host)) continue;
      let verdict: Verdict;
      try {
        if (phase.target === 'cluster') {
          verdict = await phase.check(context);
        } else {
          const seen = observed.get(host);
          if (seen === undefined) continue;
          verdict = phase.plan(context, host, viewFor(phase.name, seen));
        }
      } catch (error) {
        throw toKeelsonError(error).within(host === '' ? { phase: phase.name } : { host, phase: phase.name });
      }
      tasks.push({ phase: phase.name, host, ...verdict });
      emit({
        type: 'task-planned',
        phase: phase.name,
        host,
        standing: verdict.standing,
        changes: verdict.changes.length,
      });
    }
  }
  return tasks;
}

/** Observes and plans tasks of one host again, as after they were applied: one round trip for all of them. */
export async function recheck<C extends EngineContext>(
  phases: readonly Phase<C>[],
  host: string,
  context: C,
  readers: Readers,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  const onHost = phases.filter((phase): phase is HostPhase<C> => phase.target !== 'cluster');
  for (const phase of phases) {
    if (phase.target === 'cluster') verdicts.set(phase.name, await phase.check(context));
  }
  if (onHost.length === 0) return verdicts;
  const reader = readers.get(host);
  if (reader === undefined) throw new KeelsonError('BUG', `no connection to ${host}`);
  const requests = new Map(onHost.map((phase) => [phase.name, phase.observe(context, host)]));
  const [seen] = await Promise.all([
    reader.read(mergeRequests(requests), { signal: context.signal }),
    ...onHost.map((phase) => phase.consult?.(context)),
  ]);
  for (const phase of onHost) verdicts.set(phase.name, phase.plan(context, host, viewFor(phase.name, seen)));
  return verdicts;
}
