import { KeelsonError } from '../errors/keelson-error.js';
import type { EngineContext, Phase } from './phase.js';
import type { TaskPlan } from './types.js';

/**
 * What each task has to wait for: tasks that provide an artefact it needs (of the same host, for host
 * artefacts), and for serial phases the same phase on the host before. An artefact that nobody in this run
 * provides is taken to exist: its owner loads it from reality.
 * @param side `needs`, or `after`: what a task only waits for, whatever becomes of it
 */
export function dependencies<C extends EngineContext>(
  phases: readonly Phase<C>[],
  tasks: readonly TaskPlan[],
  side: 'needs' | 'after' = 'needs',
): ReadonlyMap<TaskPlan, TaskPlan[]> {
  const byPhase = new Map<string, TaskPlan[]>();
  for (const task of tasks) byPhase.set(task.phase, [...(byPhase.get(task.phase) ?? []), task]);
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const result = new Map<TaskPlan, TaskPlan[]>();
  for (const task of tasks) {
    const phase = byName.get(task.phase);
    const found: TaskPlan[] = [];
    for (const need of phase?.[side] ?? []) {
      for (const provider of phases) {
        if (provider === phase || !provider.provides.some((artefact) => artefact.name === need.name))
          continue;
        for (const candidate of byPhase.get(provider.name) ?? []) {
          const sameHost =
            need.scope === 'cluster' ||
            task.host === '' ||
            candidate.host === task.host ||
            candidate.host === '';
          if (sameHost) found.push(candidate);
        }
      }
    }
    if (side === 'needs' && phase !== undefined && phase.target !== 'cluster' && phase.serial === true) {
      const siblings = byPhase.get(task.phase) ?? [];
      const previous = siblings[siblings.indexOf(task) - 1];
      if (previous !== undefined) found.push(previous);
    }
    result.set(task, found);
  }
  refuseCycles(result, ({ phase, host }) => `${phase} on ${host}`);
  return result;
}

/** Throws BUG where something waits for itself, which would be for ever. */
export function refuseCycles<T>(graph: ReadonlyMap<T, readonly T[]>, nameOf: (item: T) => string): void {
  const done = new Set<T>();
  const visit = (item: T, path: readonly T[]): void => {
    if (done.has(item)) return;
    if (path.includes(item)) {
      const names = [...path.slice(path.indexOf(item)), item].map(nameOf);
      throw new KeelsonError('BUG', `phases wait for each other: ${names.join(' → ')}`);
    }
    for (const dependency of graph.get(item) ?? []) visit(dependency, [...path, item]);
    done.add(item);
  };
  for (const item of graph.keys()) visit(item, []);
}
