import { describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../../src/errors/keelson-error.js';
import { awaitWindow, mayBegin } from '../../../../src/workflows/upgrade/gate.js';
import { pauseUpgrade, resumeUpgrade } from '../../../../src/workflows/upgrade/pause.js';
import type { Step } from '../../../../src/workflows/upgrade/run.js';
import { type MaintenanceWindow, parseWindow } from '../../../../src/workflows/upgrade/window.js';
import { clusterOfThree, fakeSession } from '../fixture.js';

function stepOf(
  session: ReturnType<typeof fakeSession>,
  window: MaintenanceWindow | null = null,
  stop = new AbortController().signal,
): Step {
  const journal = { begin: async () => undefined, finish: async () => undefined };
  const hop = { from: 'v1.36.1', to: 'v1.36.3' };
  return { session, hop, direction: 'upgrade', journal, stop, window } as unknown as Step;
}

/** A window that is over, and one that is open, at whatever time this runs. */
function windowsAround(now: number): { over: MaintenanceWindow; open: MaintenanceWindow } {
  const at = new Date(now);
  const minute = at.getHours() * 60 + at.getMinutes();
  const day = 24 * 60;
  return {
    over: { from: (minute + 1) % day, to: minute },
    open: { from: minute, to: (minute + 2) % day },
  };
}

describe('what is asked before a run of an upgrade begins anything further', () => {
  it('is a pause that anybody made, on whichever control plane it is', async () => {
    const session = fakeSession(clusterOfThree());
    await mayBegin(stepOf(session));
    await pauseUpgrade(session, 'ann@desk');
    session.fakes.get('cp1')?.files.clear();
    await expect(mayBegin(stepOf(session))).rejects.toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('ann@desk'),
    });
    expect(await resumeUpgrade(session)).toBe(true);
    await mayBegin(stepOf(session));
    expect(await resumeUpgrade(session)).toBe(false);
  });

  it('is no pause where no control plane was reached to keep it', async () => {
    const refused = new KeelsonError('CONNECTION', 'refused', { host: 'cp1' });
    const session = { ...fakeSession(), hosts: new Map(), failures: new Map([['cp1', refused]]) };
    await expect(pauseUpgrade(session, 'ann@desk')).rejects.toMatchObject({
      code: 'CONNECTION',
      host: 'cp1',
    });
  });

  it('keeps who paused it first', async () => {
    const session = fakeSession();
    await pauseUpgrade(session, 'ann@desk');
    expect(await pauseUpgrade(session, 'bob@desk')).toMatchObject({ by: 'ann@desk' });
  });

  it('is whether the maintenance window is open', async () => {
    const session = fakeSession();
    const { over, open } = windowsAround(session.context.now());
    await mayBegin(stepOf(session, open));
    await expect(mayBegin(stepOf(session, over))).rejects.toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('has closed'),
    });
  });

  it('does not wait for the window any longer once a stop was asked for', async () => {
    const session = fakeSession();
    const { over } = windowsAround(session.context.now());
    await expect(awaitWindow(stepOf(session, over, AbortSignal.abort()))).rejects.toMatchObject({
      message: expect.stringContaining('as asked'),
    });
  });

  it('refuses what is no window', () => {
    expect(() => parseWindow('always')).toThrow('no time of the day');
  });
});
