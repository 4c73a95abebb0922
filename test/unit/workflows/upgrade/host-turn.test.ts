import { describe, expect, it } from 'vitest';
import type { Change, TaskPlan } from '../../../../src/engine/types.js';
import { withOneRestart } from '../../../../src/workflows/upgrade/host-turn.js';

const RESTART: Change = { kind: 'service', op: 'restart', unit: 'kubelet.service', reason: 'changed' };
const RELOAD: Change = { kind: 'service', op: 'daemon-reload', unit: 'kubelet.service', reason: 'changed' };

const task = (phase: string, ...changes: Change[]): TaskPlan => ({
  phase,
  host: 'w1',
  standing: 'drifted',
  reasons: [],
  changes,
});

describe('withOneRestart', () => {
  it('restarts the kubelet once, after everything that it reads', () => {
    const tasks = [task('kubelet/install', RELOAD, RESTART), task('join/worker', RESTART)];
    expect(withOneRestart(tasks).map(({ changes }) => changes)).toEqual([[RELOAD], [RESTART]]);
  });

  it('keeps the only restart where nothing follows it', () => {
    expect(withOneRestart([task('kubelet/install', RESTART), task('join/worker')])[0]?.changes).toEqual([
      RESTART,
    ]);
  });
});
