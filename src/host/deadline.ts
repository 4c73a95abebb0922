import { KeelsonError } from '../errors/keelson-error.js';

/** A time limit over several steps that a person's answer may pause, and an AbortSignal may end. */
export interface Deadline {
  /** The promise's outcome, or the deadline's error, or ABORTED. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** Runs `task` with the clock stopped. */
  paused<T>(task: () => Promise<T>): Promise<T>;
  stop(): void;
}

/**
 * @param ms time that all steps have together, in milliseconds
 * @param slow called once after `afterMs` of it, unless the deadline was stopped before
 */
export function deadline(
  ms: number,
  signal: AbortSignal | undefined,
  expired: () => Error,
  slow?: { afterMs: number; say: () => void },
): Deadline {
  let left = ms;
  let since = Date.now();
  let timer: NodeJS.Timeout | undefined;
  let notice: NodeJS.Timeout | undefined;
  let fail: (error: Error) => void = () => undefined;
  const over = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  over.catch(() => undefined);
  const start = (): void => {
    since = Date.now();
    timer = setTimeout(() => fail(expired()), left);
    const untilSlow = slow === undefined ? 0 : slow.afterMs - (ms - left);
    if (slow !== undefined && untilSlow > 0 && slow.afterMs < ms) notice = setTimeout(slow.say, untilSlow);
  };
  const abort = (): void => fail(abortedError());
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  start();
  return {
    race: (promise) => Promise.race([promise, over]),
    paused: async (task) => {
      clearTimeout(timer);
      clearTimeout(notice);
      left = Math.max(1, left - (Date.now() - since));
      try {
        return await task();
      } finally {
        start();
      }
    },
    stop: () => {
      clearTimeout(timer);
      clearTimeout(notice);
      signal?.removeEventListener('abort', abort);
    },
  };
}

export function abortedError(host?: string): KeelsonError {
  return new KeelsonError('ABORTED', 'interrupted', { host });
}
