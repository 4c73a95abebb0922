import { KeelsonError } from '../errors/keelson-error.js';
import type { EngineContext, Phase } from './phase.js';
import type { TaskPlan } from './types.js';

/**
 * What each task has to wait for: tasks that provide an artefact it needs (of the same host, for host
 * artefacts), and for serial phases the same phase on the host before. An artefact that nobody in this run
 * provides is taken to exist: its owner loads it from reality.
 */
export function dependencies<C extends EngineContext>(
  phases: readonly Phase<C>[],
  tasks: readonly TaskPlan[],
): ReadonlyMap<TaskPlan, TaskPlan[]> {
  const byPhase = new Map<string, TaskPlan[]>();
  for (const task of tasks) byPhase.set(task.phase, [...(byPhase.get(task.phase) ?? []), task]);
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const result = new Map<TaskPlan, TaskPlan[]>();
  for (const task of tasks) {
    const phase = byName.get(task.phase);
    const found: TaskPlan[] = [];
    for (const need of phase?.needs ?? []) {
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
    if (phase !== undefined && phase.target !== 'cluster' && phase.serial === true) {
      const siblings = byPhase.get(task.phase) ?? [];
      const previous = siblings[siblings.indexOf(task) - 1];
      if (previous !== undefined) found.push(previous);
    }
    result.set(task, found);
  }
  refuseCycles(result);
  return result;
}

/** A cycle would wait for itself for ever. */
function refuseCycles(graph: ReadonlyMap<TaskPlan, TaskPlan[]>): void {
  const done = new Set<TaskPlan>();
  const visit = (task: TaskPlan, path: readonly TaskPlan[]): void => {
    if (done.has(task)) return;
    if (path.includes(task)) {
      const names = [...path.slice(path.indexOf(task)), task].map(({ phase, host }) => `${phase} on ${host}`);
      throw new KeelsonError('BUG', `phases wait for each other: ${names.join(' → ')}`);
    }
    for (const dependency of graph.get(task) ?? []) visit(dependency, [...path, task]);
    done.add(task);
  };
  for (const task of graph.keys()) visit(task, []);
}
