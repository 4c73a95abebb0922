import { expect, it } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { readyzFailure } from '../../../src/phases/readyz.js';

const answer = (status: number) =>
  new KeelsonError('API', `GET /readyz: ${status}`, { details: { status }, retryable: status >= 500 });
const REFUSED = new KeelsonError('CONNECTION', 'nothing listens there', { retryable: true });

/** What is said of an API server that answers so, one time after the other, and how often it was asked. */
async function ask(...answers: (KeelsonError | null)[]) {
  let asked = 0;
  const request = async () => {
    const said = answers[Math.min(asked, answers.length - 1)] ?? null;
    asked += 1;
    if (said !== null) throw said;
    return { status: 200, body: 'ok' };
  };
  const failure = await readyzFailure({ request }, new AbortController().signal, 500);
  return { failure, asked };
}

it('is fine where an API server has started since it was first asked', async () => {
  expect(await ask(null)).toEqual({ failure: null, asked: 1 });
  expect(await ask(answer(500), answer(403), null)).toEqual({ failure: null, asked: 3 });
});

it('says at once what else is wrong', async () => {
  for (const failure of [answer(401), REFUSED]) expect(await ask(failure)).toEqual({ failure, asked: 1 });
  expect(await ask(answer(403), REFUSED)).toEqual({ failure: REFUSED, asked: 2 });
});

it('does not wait for ever, nor at all where it is told so', async () => {
  expect((await ask(answer(500))).failure?.message).toContain('500');
  const signal = new AbortController().signal;
  const failure = await readyzFailure({ request: () => Promise.reject(answer(403)) }, signal, 0);
  expect(failure?.message).toContain('403');
});
