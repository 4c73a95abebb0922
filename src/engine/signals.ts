import { setMaxListeners } from 'node:events';

/**
 * A signal that aborts with the first of the given ones; undefined ones are left out. Any number of tasks may listen
 * to it: node warns of a leak above ten otherwise.
 */
export function eitherSignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  const either = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  setMaxListeners(0, either);
  return either;
}
