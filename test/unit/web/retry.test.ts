import { expect, test } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { retryAfterMs, retrying, TryLater } from '../../../src/web/retry.js';

const busy = () => new TryLater(new KeelsonError('CONNECTION', 'busy'), undefined);

test('a server says in seconds or as a date how long it wants to be left alone', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterMs('7', now)).toBe(7000);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
  expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  expect(retryAfterMs('999999', now)).toBe(300_000);
  expect(retryAfterMs('soon', now)).toBeNull();
  expect(retryAfterMs(undefined, now)).toBeNull();
});

test('only what may pass is tried again, so often and no more', async () => {
  let tries = 0;
  const failing = (error: Error) => async () => {
    tries += 1;
    throw error;
  };
  const settings = { attempts: 3, backoffMs: 1 };
  await expect(retrying(settings, failing(busy()))).rejects.toMatchObject({
    code: 'CONNECTION',
    message: 'busy',
  });
  expect(tries).toBe(3);
  tries = 0;
  await expect(retrying(settings, failing(new KeelsonError('BUNDLE', 'wrong')))).rejects.toMatchObject({
    code: 'BUNDLE',
  });
  expect(tries).toBe(1);
});

test('progress begins the count anew', async () => {
  let tries = 0;
  const result = retrying({ attempts: 2, backoffMs: 1 }, async (progress) => {
    tries += 1;
    progress();
    if (tries < 5) throw busy();
    return 'done';
  });
  expect(await result).toBe('done');
});

test('a wait ends when it is broken off', async () => {
  const stop = new AbortController();
  const waiting = retrying({ backoffMs: 60_000, signal: stop.signal }, async () => {
    setImmediate(() => stop.abort());
    throw busy();
  });
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
});
