import { setTimeout as delay } from 'node:timers/promises';
import { KeelsonError } from '../errors/keelson-error.js';

export interface Condition {
  met: boolean;
  /** What was seen last, for the user and for the error: "2 of 3 nodes Ready, w1: NetworkPluginNotReady". */
  state: string;
}

export interface WaitOptions {
  /** What is awaited, as it completes "timed out waiting for …". */
  for: string;
  /** Milliseconds until the wait is given up. */
  deadlineMs: number;
  /** Milliseconds between two looks; default 200. */
  intervalMs?: number;
  signal: AbortSignal;
  hint?: string;
  onState?: (state: string) => void;
}

/**
 * Looks until the condition is met. What `look` throws counts as "not yet" if the error is retryable.
 * @throws DEADLINE with the last state seen
 */
export async function waitUntil(look: () => Promise<Condition>, options: WaitOptions): Promise<void> {
  const deadline = Date.now() + options.deadlineMs;
  let last = 'nothing seen yet';
  for (;;) {
    options.signal.throwIfAborted();
    try {
      const condition = await look();
      if (condition.met) return;
      if (condition.state !== last) options.onState?.(condition.state);
      last = condition.state;
    } catch (error) {
      if (!(error instanceof KeelsonError) || !error.retryable) throw error;
      if (error.message !== last) options.onState?.(error.message);
      last = error.message;
    }
    if (Date.now() >= deadline) {
      throw new KeelsonError(
        'DEADLINE',
        `timed out after ${Math.round(options.deadlineMs / 1000)} s waiting for ${options.for}: ${last}`,
        {
          hint: options.hint,
          details: { last },
        },
      );
    }
    await delay(options.intervalMs ?? 200, undefined, { signal: options.signal });
  }
}
