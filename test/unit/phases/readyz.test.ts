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

it('is fine where an API server has read its roles since it was first asked', async () => {
  expect(await ask(null)).toEqual({ failure: null, asked: 1 });
  expect(await ask(answer(403), answer(403), null)).toEqual({ failure: null, asked: 3 });
});

it('says at once what else is wrong', async () => {
  for (const failure of [answer(500), REFUSED]) expect(await ask(failure)).toEqual({ failure, asked: 1 });
  const later = answer(500);
  expect(await ask(answer(403), later)).toEqual({ failure: later, asked: 2 });
});

it('does not wait for ever', async () => {
  expect((await ask(answer(403))).failure?.message).toContain('403');
});
