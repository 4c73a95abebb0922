import { expect, it } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { answering } from '../../../src/phases/answering.js';
import type { PhaseContext } from '../../../src/phases/context.js';
import { createFakeHost } from '../../fakes/fake-host.js';
import { clusterOfThree, fakeSession } from '../workflows/fixture.js';

/** A context whose hosts answer `true`, but for those that are lost. */
function withLost(...lost: string[]): PhaseContext {
  const { context } = fakeSession(clusterOfThree());
  const reader = (name: string) => {
    const host = createFakeHost({ name });
    host.on('true', {});
    if (lost.includes(name)) host.drop();
    return host;
  };
  return { ...context, reader };
}

it('names the hosts whose SSH connection is lost, and no other', async () => {
  await expect(answering(withLost(), ['cp1', 'cp2'])()).resolves.toBeUndefined();
  await expect(answering(withLost('cp2'), ['cp1', 'cp2'])()).rejects.toMatchObject({
    code: 'CONNECTION',
    host: 'cp2',
    message: expect.stringMatching(/^cp2 can't be reached any more/),
  });
  await expect(answering(withLost('cp1', 'cp2'), ['cp1', 'cp2'])()).rejects.toMatchObject({
    host: undefined,
    message: expect.stringMatching(/^cp1 and cp2 can't be reached any more/),
  });
});

it('takes a host that answers with an error for one that is there', async () => {
  const context = withLost();
  const slow = createFakeHost({ name: 'cp1' });
  slow.on('true', () => {
    throw new KeelsonError('DEADLINE', 'no end of `true` within 60 s', { host: 'cp1' });
  });
  await expect(answering({ ...context, reader: () => slow }, ['cp1'])()).resolves.toBeUndefined();
});
