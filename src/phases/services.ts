import type { ServiceChange } from '../engine/types.js';
import type { UnitState } from '../host/types.js';

/**
 * What brings a unit to enabled and running: nothing where it is, a restart where its files changed.
 * @param options.touched what the unit runs or reads is changed before
 * @param options.reload the unit reads its configuration anew without a restart, unless the unit itself changed
 */
export function serviceChanges(
  unit: string,
  state: UnitState | undefined,
  options: { touched: boolean; unitFileTouched: boolean; start?: boolean; reload?: boolean },
): ServiceChange[] {
  const changes: ServiceChange[] = [];
  if (options.unitFileTouched)
    changes.push({ kind: 'service', op: 'daemon-reload', unit, reason: 'unit files changed' });
  if (state?.enabled !== 'enabled')
    changes.push({ kind: 'service', op: 'enable', unit, reason: `${unit} is not enabled` });
  if (options.start === false) return changes;
  const running = ['active', 'activating', 'reloading'].includes(state?.active ?? '');
  if (!running)
    changes.push({
      kind: 'service',
      op: 'start',
      unit,
      reason: `${unit} is ${state?.active ?? 'not there'}`,
    });
  else if (options.touched)
    changes.push({
      kind: 'service',
      op: options.reload === true && !options.unitFileTouched ? 'reload' : 'restart',
      unit,
      reason: `what ${unit} reads changed`,
    });
  return changes;
}
