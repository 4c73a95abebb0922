import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eitherSignal } from '../../../src/engine/signals.js';

describe('one signal of several', () => {
  it('aborts with the first, for its reason', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const either = eitherSignal(one.signal, undefined, other.signal);
    expect(either.aborted).toBe(false);
    other.abort('enough');
    expect(either.reason).toBe('enough');
  });

  it('lets any number of tasks listen without a warning', async () => {
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.name);
    process.on('warning', note);
    const either = eitherSignal(new AbortController().signal);
    for (let task = 0; task < 20; task++) either.addEventListener('abort', () => task);
    await setImmediate();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});
