import { setTimeout as delay } from 'node:timers/promises';
import { KeelsonError } from '../errors/keelson-error.js';

export interface RetrySettings {
  /** How often something is tried in all; default 6. */
  attempts?: number;
  /** Milliseconds before the second try, doubled for each further one up to 30 s; default 500. */
  backoffMs?: number;
  signal?: AbortSignal | undefined;
}

const MOST_MS = 30_000;
/** Longest wait that a server may ask for. */
const MOST_ASKED_MS = 300_000;

/** Statuses of servers that may answer otherwise a little later. */
export function isPassing(status: number): boolean {
  return [408, 429, 500, 502, 503, 504].includes(status);
}

/** An answer that is worth another try, and how long the server wants to be left alone, in milliseconds. */
export class TryLater extends Error {
  readonly afterMs: number | null;
  readonly error: KeelsonError;

  constructor(error: KeelsonError, retryAfter: string | undefined) {
    super(error.message);
    this.error = error;
    this.afterMs = retryAfterMs(retryAfter, Date.now());
  }
}

/** Milliseconds that a Retry-After header asks for: seconds, or a date. Null for none. */
export function retryAfterMs(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), MOST_ASKED_MS);
}

/**
 * Tries until it succeeds. Only `TryLater` and retryable errors are tried again; progress, where `work` reports it,
 * begins the count anew.
 */
export async function retrying<T>(
  settings: RetrySettings,
  work: (progress: () => void) => Promise<T>,
): Promise<T> {
  const { attempts = 6, backoffMs = 500, signal } = settings;
  let failed = 0;
  for (;;) {
    try {
      return await work(() => {
        failed = 0;
      });
    } catch (thrown) {
      const error = thrown instanceof TryLater ? thrown.error : thrown;
      const again = thrown instanceof TryLater || (thrown instanceof KeelsonError && thrown.retryable);
      failed += 1;
      if (!again || failed >= attempts) throw error;
      const own = Math.min(backoffMs * 2 ** (failed - 1), MOST_MS);
      const asked = thrown instanceof TryLater ? thrown.afterMs : null;
      // Up to a quarter more, so that many do not come back at once.
      const wait = Math.max(asked ?? 0, own) * (1 + Math.random() / 4);
      await delay(wait, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw signal?.reason instanceof KeelsonError
          ? signal.reason
          : new KeelsonError('ABORTED', 'interrupted');
      });
    }
  }
}
