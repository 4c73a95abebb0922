import type { Change, ServiceChange } from '../engine/types.js';
import type { ReadResult, UnitState } from '../host/types.js';

const RUNNING = ['active', 'activating', 'reloading', 'deactivating'];

/** Stop and disable, each only where it is needed. */
export function halting(unit: string, state: UnitState | undefined): ServiceChange[] {
  if (state === undefined || state.load === 'not-found') return [];
  const changes: ServiceChange[] = [];
  if (RUNNING.includes(state.active))
    changes.push({ kind: 'service', op: 'stop', unit, reason: `${unit} is ${state.active}`, disrupts: true });
  if (state.enabled === 'enabled')
    changes.push({ kind: 'service', op: 'disable', unit, reason: `${unit} is enabled` });
  return changes;
}

/** Stops a unit of keelson's own and removes its files; nothing where neither is there. */
export function unitRemoval(unit: string, files: readonly string[], seen: ReadResult): Change[] {
  const removals = files.flatMap((path): Change[] => {
    const state = seen.files.get(path);
    if (state === undefined || state.type === 'missing') return [];
    return [{ kind: 'file', op: 'remove', path, mode: state.mode, reason: `nothing needs ${path}` }];
  });
  const changes = [...halting(unit, seen.units.get(unit)), ...removals];
  if (removals.length > 0)
    changes.push({ kind: 'service', op: 'daemon-reload', unit, reason: 'unit files changed' });
  return changes;
}
