import type { Emit } from '../engine/events.js';
import type { TaskPlan } from '../engine/types.js';
import type { Session } from './session.js';

export interface RunHeader {
  /** Name of the run in events. */
  run: string;
  hosts: readonly string[];
  /** What is planned; tasks without changes don't count. */
  tasks: readonly TaskPlan[];
}

/**
 * Says that a run begins and how it ended, with the changes that were made, also where it failed in the middle.
 * @param work is to emit through what it is given
 * @returns number of changes made, and how long all of it took since `started`
 */
export async function reportedRun(
  { context, emit }: Pick<Session, 'context' | 'emit'>,
  { run, hosts, tasks }: RunHeader,
  started: number,
  work: (emit: Emit) => Promise<unknown>,
): Promise<{ changed: number; durationMs: number }> {
  const pending = tasks.filter((task) => task.changes.length > 0).length;
  emit({ type: 'run-started', run, hosts: [...hosts], tasks: pending });
  let changed = 0;
  let ok = false;
  try {
    await work((event) => {
      if (event.type === 'change-finished') changed += 1;
      emit(event);
    });
    ok = true;
  } finally {
    emit({ type: 'run-finished', run, ok, changed, durationMs: context.now() - started });
  }
  return { changed, durationMs: context.now() - started };
}
