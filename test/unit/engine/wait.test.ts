import { expect, it } from 'vitest';
import { waitUntil } from '../../../src/engine/wait.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';

const options = (more = {}) => ({
  for: 'the API server',
  deadlineMs: 2000,
  intervalMs: 1,
  signal: new AbortController().signal,
  ...more,
});

it('looks until the condition is met, and tells each new state once', async () => {
  const states = ['starting', 'starting', 'half', 'ready'];
  const told: string[] = [];
  await waitUntil(
    async () => {
      const state = states.shift() ?? '';
      return { met: state === 'ready', state };
    },
    options({ onState: (state: string) => told.push(state) }),
  );
  expect(told).toEqual(['starting', 'half']);
});

it('gives up at the deadline with the last state', async () => {
  const never = waitUntil(
    async () => ({ met: false, state: 'etcd is not there' }),
    options({ deadlineMs: 5 }),
  );
  await expect(never).rejects.toMatchObject({
    code: 'DEADLINE',
    message: expect.stringContaining('waiting for the API server: etcd is not there'),
    details: { last: 'etcd is not there' },
  });
});

it('takes a retryable error for "not yet", and no other', async () => {
  let looks = 0;
  const look = (retryable: boolean) => async () => {
    looks += 1;
    if (looks < 3) throw new KeelsonError('CONNECTION', 'refused', { retryable });
    return { met: true, state: '' };
  };
  await waitUntil(look(true), options());
  expect(looks).toBe(3);
  looks = 0;
  await expect(waitUntil(look(false), options())).rejects.toMatchObject({ code: 'CONNECTION' });
  expect(looks).toBe(1);
});

it('ends at once when it is broken off', async () => {
  const abort = new AbortController();
  const waiting = waitUntil(
    async () => ({ met: false, state: '' }),
    options({ signal: abort.signal, intervalMs: 60_000 }),
  );
  abort.abort();
  await expect(waiting).rejects.toThrow();
});

it('ends with what its guard throws, and is not held up by one that does not answer', async () => {
  const guarded = (guard: () => Promise<void>, deadlineMs = 2000) =>
    waitUntil(async () => ({ met: false, state: 'no node' }), options({ guard, guardMs: 1, deadlineMs }));
  const lost = new KeelsonError('CONNECTION', 'cp2 is gone', { host: 'cp2' });
  await expect(guarded(() => Promise.reject(lost))).rejects.toBe(lost);
  await expect(guarded(() => new Promise(() => undefined), 20)).rejects.toMatchObject({ code: 'DEADLINE' });
});

it('does not ask its guard where the condition is met at once', async () => {
  let asked = 0;
  const guard = async () => {
    asked += 1;
  };
  await waitUntil(async () => ({ met: true, state: '' }), options({ guard, guardMs: 1000 }));
  expect(asked).toBe(0);
});
