import { describe, expect, it } from 'vitest';
import type { UnitState } from '../../../src/host/types.js';
import { serviceChanges } from '../../../src/phases/services.js';

const UNIT = 'keelson-haproxy.service';
const state = (active: string): UnitState =>
  ({ unit: UNIT, load: 'loaded', active, sub: '', enabled: 'enabled' }) as UnitState;
const ops = (active: string) =>
  serviceChanges(UNIT, state(active), { touched: false, unitFileTouched: false }).map(({ op }) => op);

describe('serviceChanges', () => {
  it.each(['active', 'activating', 'reloading'])('leaves a unit alone that is %s', (active) => {
    expect(ops(active)).toEqual([]);
  });

  it.each(['inactive', 'failed', 'deactivating'])('starts a unit that is %s', (active) => {
    expect(ops(active)).toEqual(['start']);
  });
});
