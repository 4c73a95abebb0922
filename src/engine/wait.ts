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
  /** Asked beside `look`, every ten seconds while the wait goes on: what it throws ends the wait. */
  guard?: () => Promise<void>;
  /** Milliseconds between two questions to the guard; default 10,000. */
  guardMs?: number;
}

/** A guard that takes long to answer holds up nothing; `failure` is what it threw. */
function watch({ guard, guardMs = 10_000 }: WaitOptions): { look: () => void; failure: () => unknown } {
  let failure: unknown;
  let asking = false;
  let asked = Date.now();
  const look = (): void => {
    if (guard === undefined || asking || Date.now() - asked < guardMs) return;
    asking = true;
    guard()
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        asking = false;
        asked = Date.now();
      });
  };
  return { look, failure: () => failure };
}

/**
 * Looks until the condition is met. What `look` throws counts as "not yet" if the error is retryable.
 * @throws DEADLINE with the last state seen, and what the guard throws
 */
export async function waitUntil(look: () => Promise<Condition>, options: WaitOptions): Promise<void> {
  const deadline = Date.now() + options.deadlineMs;
  const guard = watch(options);
  let last = 'nothing seen yet';
  for (;;) {
    options.signal.throwIfAborted();
    guard.look();
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
    if (guard.failure() !== undefined) throw guard.failure();
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
