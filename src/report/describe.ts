import type { Change, TaskPlan } from '../engine/types.js';
import { bytes } from './table.js';

const SIGN = { create: '+', update: '~', remove: '-', delete: '-' } as const;

/** One change as one line: sign, what, how much. */
export function describeChange(change: Change): string {
  const flags = `${'disrupts' in change && change.disrupts === true ? ' [disrupts]' : ''}${'destroys' in change && change.destroys === true ? ' [destroys]' : ''}`;
  switch (change.kind) {
    case 'file': {
      const content = change.content;
      const extra =
        content?.kind === 'blob'
          ? ` (${bytes(content.size)})`
          : content?.kind === 'secret'
            ? ` (${content.summary})`
            : '';
      return `${SIGN[change.op]} file ${change.path} ${change.mode.toString(8).padStart(4, '0')}${extra}${flags}`;
    }
    case 'service':
      return `! service ${change.op}${change.op === 'daemon-reload' ? '' : ` ${change.unit}`}${flags}`;
    case 'package':
      return `${change.op === 'install' ? '+' : '-'} package ${change.name}`;
    case 'image':
      return `+ image ${change.reference} (${bytes(change.size)})`;
    case 'object':
      return `${SIGN[change.op]} ${change.objectKind} ${change.namespace === '' ? '' : `${change.namespace}/`}${change.name}${change.replaces === true ? ' (deleted and made again)' : ''}`;
    case 'action':
      return `! ${change.summary}${flags}`;
  }
}

/** Tasks that would change something. */
export function pending(tasks: readonly TaskPlan[]): TaskPlan[] {
  return tasks.filter((task) => task.changes.length > 0 || task.standing === 'blocked');
}
