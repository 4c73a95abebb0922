import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { refusePaused } from './pause.js';
import type { Step } from './run.js';
import { type MaintenanceWindow, untilOpen, windowText } from './window.js';

/** A day, and some. */
const WAIT_MS = 25 * 3_600_000;

/**
 * Asked before anything further is begun.
 * @throws ABORTED where a soft stop was asked for, the upgrade is paused, or its maintenance window has closed
 */
export async function mayBegin(step: Step): Promise<void> {
  refuseStopped(step);
  await refusePaused(step.session);
  const { window, session } = step;
  if (window === null || isOpen(window, session.context.now())) return;
  throw new KeelsonError('ABORTED', `the maintenance window ${windowText(window)} has closed`, {
    hint: `${commandOf(step)} goes on when it is open again`,
  });
}

/** The same before the first host, where a window that is not open yet is waited for. */
export async function awaitWindow(step: Step): Promise<void> {
  const { window, session, stop } = step;
  const { context, emit } = session;
  if (window !== null && !isOpen(window, context.now())) {
    const opens = new Date(context.now() + untilOpen(window, new Date(context.now())));
    await waitUntil(
      async () => ({
        met: stop.aborted || isOpen(window, context.now()),
        state: `everything is staged; it opens at ${opens.toISOString()}`,
      }),
      {
        for: `the maintenance window ${windowText(window)}`,
        deadlineMs: WAIT_MS,
        intervalMs: 1000,
        signal: context.signal,
        onState: (last) =>
          emit({ type: 'waiting', phase: 'upgrade', host: '', for: 'the maintenance window', last }),
      },
    );
  }
  await mayBegin(step);
}

const isOpen = (window: MaintenanceWindow, now: number): boolean => untilOpen(window, new Date(now)) === 0;

const commandOf = ({ direction }: Pick<Step, 'direction'>): string =>
  direction === 'upgrade' ? 'keelson upgrade apply' : 'keelson upgrade rollback';

/** @throws ABORTED where a soft stop was asked for */
function refuseStopped(step: Pick<Step, 'stop' | 'direction'>): void {
  if (!step.stop.aborted) return;
  throw new KeelsonError('ABORTED', 'stopped between two hosts, as asked', {
    hint: `run ${commandOf(step)} again: it goes on from here`,
  });
}
