import type { EngineContext, Phase } from './phase.js';
import type { TaskPlan } from './types.js';

/** Tasks of one host that are carried out together: one stream of files, one look afterwards. */
export interface Unit {
  /** '' for cluster-wide tasks. */
  host: string;
  /** Name of the only phase, or of the group. */
  name: string;
  tasks: TaskPlan[];
}

/** Tasks as units, in task order: those of a host whose phases name the same group are one. */
export function unitsOf<C extends EngineContext>(
  phases: readonly Phase<C>[],
  tasks: readonly TaskPlan[],
): Unit[] {
  const groups = new Map(
    phases.map((phase) => [phase.name, phase.target === 'cluster' ? undefined : phase.group]),
  );
  const units = new Map<string, Unit>();
  for (const task of tasks) {
    const group = groups.get(task.phase);
    const key = group === undefined ? `phase ${task.phase} ${task.host}` : `group ${group} ${task.host}`;
    const known = units.get(key);
    if (known === undefined) units.set(key, { host: task.host, name: group ?? task.phase, tasks: [task] });
    else known.tasks.push(task);
  }
  return [...units.values()];
}

/** What each unit has to wait for: the units of what its tasks wait for, itself left out. */
export function unitDependencies(
  units: readonly Unit[],
  graph: ReadonlyMap<TaskPlan, readonly TaskPlan[]>,
): Map<Unit, Unit[]> {
  const unitOf = new Map(units.flatMap((unit) => unit.tasks.map((task) => [task, unit] as const)));
  return new Map(
    units.map((unit) => {
      const found = new Set<Unit>();
      for (const dependency of unit.tasks.flatMap((task) => graph.get(task) ?? [])) {
        const other = unitOf.get(dependency);
        if (other !== undefined && other !== unit) found.add(other);
      }
      return [unit, [...found]];
    }),
  );
}
