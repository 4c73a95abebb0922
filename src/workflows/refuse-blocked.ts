import type { Plan } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

/** @throws PREFLIGHT with what is in the way of a plan, line by line */
export function refuseBlocked(plan: Pick<Plan, 'tasks'>): void {
  const blocked = plan.tasks.filter((task) => task.standing === 'blocked');
  if (blocked.length === 0) return;
  const reasons = blocked.flatMap((task) =>
    task.reasons.map((reason) => `${task.host === '' ? 'cluster' : task.host}: ${task.phase}: ${reason}`),
  );
  throw new KeelsonError(
    'PREFLIGHT',
    `nothing was changed, because:\n  ${[...new Set(reasons)].join('\n  ')}`,
    {
      host: blocked[0]?.host === '' ? undefined : blocked[0]?.host,
      phase: blocked[0]?.phase,
      hint: 'each line says what to do; keelson plan shows the rest',
      details: reasons,
    },
  );
}
