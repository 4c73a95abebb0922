import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../../../src/cluster/client.js';
import type { Step } from '../../../../src/workflows/upgrade/run.js';
import { uncordonLeft, waveSize, wavesOf } from '../../../../src/workflows/upgrade/waves.js';
import { fakeSession } from '../fixture.js';

describe('waveSize', () => {
  it('takes a number, or a part of all nodes, at least one', () => {
    expect([waveSize('3', 10), waveSize('25%', 10), waveSize('25%', 2), waveSize('100%', 4)]).toEqual([
      3, 2, 1, 4,
    ]);
  });

  it('refuses what would never end, and other text', () => {
    for (const text of ['0', '0%', '-1', 'all', '1.5'])
      expect(() => waveSize(text, 5)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('wavesOf', () => {
  it('keeps the order of the file, and the last wave may be smaller', () => {
    expect(wavesOf(['w1', 'w2', 'w3'], 2)).toEqual([['w1', 'w2'], ['w3']]);
    expect(wavesOf([], 2)).toEqual([]);
  });
});

describe('uncordonLeft', () => {
  const MARK = 'keelson.dev/upgrade-cordoned';

  /** What is patched of a cordoned w1 with these annotations. */
  async function patched(annotations: Record<string, string>): Promise<unknown[]> {
    const patches: unknown[] = [];
    const client = {
      get: async () => ({ metadata: { name: 'w1', annotations }, spec: { unschedulable: true } }),
      patch: async (_: unknown, patch: unknown) => patches.push(patch),
    } as unknown as ClusterClient;
    const session = fakeSession();
    const step = { session: { ...session, context: { ...session.context, api: () => client } } };
    await uncordonLeft(step as unknown as Step, ['w1']);
    return patches;
  }

  it('lets a node take pods again that a killed run had cordoned, and no other', async () => {
    expect(await patched({ [MARK]: 'true' })).toEqual([
      { spec: { unschedulable: null } },
      { metadata: { annotations: { [MARK]: null } } },
    ]);
    expect(await patched({})).toEqual([]);
  });
});
