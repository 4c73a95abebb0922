import type { Plan, TaskPlan } from '../engine/types.js';
import { counted } from './counted.js';
import { describeChange, pending } from './describe.js';

/** A plan for people: host by host, phase by phase, change by change, with diffs of text. */
export function planText(plan: Plan, options: { diffs: boolean }): string {
  const tasks = pending(plan.tasks);
  if (tasks.length === 0) return `Nothing to change: ${plan.cluster} is what its file says.\n`;
  const hosts = [...new Set(tasks.map((task) => task.host))].sort(
    (a, b) => (a === '' ? 1 : 0) - (b === '' ? 1 : 0),
  );
  const lines: string[] = [];
  for (const host of hosts) {
    lines.push(host === '' ? 'cluster' : `host ${host}`);
    for (const task of tasks.filter((candidate) => candidate.host === host)) {
      lines.push(`  ${task.phase}: ${task.standing}`);
      const mark = task.standing === 'blocked' ? '✖ ' : '';
      lines.push(...untold(task).map((reason) => `    ${mark}${reason}`));
      for (const change of task.changes) {
        lines.push(`    ${describeChange(change)}`);
        const diff = 'diff' in change && change.diff !== undefined ? change.diff : '';
        if (options.diffs && diff !== '')
          lines.push(
            ...diff
              .trimEnd()
              .split('\n')
              .slice(2)
              .map((line) => `        ${line}`),
          );
      }
    }
  }
  const changes = tasks.reduce((sum, task) => sum + task.changes.length, 0);
  const destructive = tasks
    .flatMap((task) => task.changes)
    .filter((change) => 'destroys' in change && change.destroys === true).length;
  lines.push(
    '',
    `${counted(changes, 'change')} in ${counted(tasks.length, 'task')}${destructive > 0 ? `, ${destructive} of them destroy something` : ''}.`,
  );
  return `${lines.join('\n')}\n`;
}

/** Reasons that no change tells, one line each: what is awaited, and what stands in the way. */
function untold({ standing, reasons, changes }: TaskPlan): string[] {
  if (standing === 'blocked') return reasons;
  const told = changes.map((change) => ('reason' in change ? change.reason : change.summary));
  return changes.every((change) => change.kind === 'action')
    ? reasons.filter((reason) => !told.includes(reason)).map((reason) => reason.split('\n')[0] ?? '')
    : [];
}
