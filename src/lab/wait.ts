import { setTimeout as sleep } from 'node:timers/promises';
import { KeelsonError } from '../errors/keelson-error.js';

export interface WaitOptions {
  /** What is waited for, for the error: `ssh on cp1`. */
  what: string;
  timeoutMs: number;
  /** Milliseconds between looks; default 20. */
  everyMs?: number;
  signal?: AbortSignal | undefined;
  hint?: string;
  host?: string;
  /** Evidence for the error, gathered only then. */
  evidence?: () => Promise<unknown>;
}

/**
 * Looks until `look` returns null; a string is the state seen, and the last one stands in the DEADLINE
 * error's message. Throws ABORTED when the signal fires.
 */
export async function waitUntil(look: () => Promise<string | null>, options: WaitOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    if (options.signal?.aborted === true) throw new KeelsonError('ABORTED', 'interrupted');
    const state = await look();
    if (state === null) return;
    if (performance.now() > deadline) {
      throw new KeelsonError('DEADLINE', `${options.what}: ${state} after ${options.timeoutMs / 1000} s`, {
        hint: options.hint,
        host: options.host,
        details: await options.evidence?.(),
      });
    }
    await sleep(options.everyMs ?? 20);
  }
}
