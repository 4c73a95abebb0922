import { createHash } from 'node:crypto';
import type { ClusterConfig } from '../config/types.js';
import type { Plan } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

const HINT = 'make a new plan with keelson plan --out, look at it, and apply that';

/** sha256 of the resolved configuration, wherever its file lies. */
export function configDigest(config: ClusterConfig): string {
  return createHash('sha256')
    .update(JSON.stringify({ ...config, file: null }))
    .digest('hex');
}

/**
 * A plan from the text of its file.
 * @param file its name, for errors
 * @throws USAGE for what is none
 */
export function parsePlan(text: string, file: string): Plan {
  const refused = (what: string, cause?: unknown) =>
    new KeelsonError('USAGE', `${file} ${what}`, { cause, hint: 'make one with keelson plan --out FILE' });
  let saved: unknown;
  try {
    saved = JSON.parse(text);
  } catch (cause) {
    throw refused('is no saved plan', cause);
  }
  if (isPlan(saved)) return saved;
  throw refused('is no saved plan');
}

/** @throws CONFLICT where the plan was made from another cluster file than the current one; USAGE for another format */
export function refuseOtherFile(saved: Plan, current: Pick<Plan, 'cluster' | 'configDigest'>): void {
  if (saved.formatVersion !== 1) {
    throw new KeelsonError(
      'USAGE',
      `the saved plan has format ${String(saved.formatVersion)}, this keelson reads 1`,
      { hint: HINT },
    );
  }
  if (saved.cluster === current.cluster && saved.configDigest === current.configDigest) return;
  throw new KeelsonError('CONFLICT', 'the cluster file is not the one that the plan was made from', {
    hint: HINT,
  });
}

/** @throws CONFLICT where a plan made now is another one */
export function refuseStale(saved: Plan, current: Plan): void {
  const moved = current.tasks.filter(
    (task, index) => JSON.stringify(task.changes) !== JSON.stringify(saved.tasks[index]?.changes),
  );
  if (moved.length === 0 && saved.tasks.length === current.tasks.length) return;
  const names = moved.map((task) => (task.host === '' ? task.phase : `${task.phase} on ${task.host}`));
  throw new KeelsonError(
    'CONFLICT',
    `reality has moved since the plan was made: ${names.slice(0, 5).join(', ')}`,
    { hint: HINT, details: names },
  );
}

/** What a plan is found again by; the changes are made anew and compared, never taken from the file. */
function isPlan(saved: unknown): saved is Plan {
  if (typeof saved !== 'object' || saved === null) return false;
  const {
    formatVersion,
    cluster,
    configDigest: digest,
    tasks,
  } = saved as Partial<Record<keyof Plan, unknown>>;
  return (
    typeof formatVersion === 'number' &&
    typeof cluster === 'string' &&
    typeof digest === 'string' &&
    isTasks(tasks)
  );
}

function isTasks(tasks: unknown): boolean {
  return (
    Array.isArray(tasks) &&
    tasks.every(
      (task: unknown) =>
        typeof task === 'object' && task !== null && Array.isArray((task as { changes?: unknown }).changes),
    )
  );
}
