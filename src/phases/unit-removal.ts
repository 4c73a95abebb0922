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

/** A unit of keelson's own with its files. */
export interface OwnUnit {
  unit: string;
  files: readonly string[];
}

/**
 * Stops units of keelson's own, one right after the other in this order, and removes their files; nothing where
 * neither is there.
 */
export function unitRemoval(units: readonly OwnUnit[], seen: ReadResult): Change[] {
  const halts = units.flatMap(({ unit }) => halting(unit, seen.units.get(unit)));
  const removals = units.map(({ unit, files }): [string, Change[]] => [
    unit,
    files.flatMap((path): Change[] => {
      const state = seen.files.get(path);
      if (state === undefined || state.type === 'missing') return [];
      return [{ kind: 'file', op: 'remove', path, mode: state.mode, reason: `nothing needs ${path}` }];
    }),
  ]);
  const [changed] = removals.find(([, files]) => files.length > 0) ?? [];
  return [
    ...halts.filter(({ op }) => op === 'stop'),
    ...halts.filter(({ op }) => op !== 'stop'),
    ...removals.flatMap(([, files]) => files),
    ...(changed === undefined
      ? []
      : [{ kind: 'service', op: 'daemon-reload', unit: changed, reason: 'unit files changed' } as const]),
  ];
}
