import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resetLeavesNoTrace } from './reset-leaves-no-trace.js';
import { keelson, labDown, labUp, WORK } from './support.js';

describe('reset', () => {
  beforeAll(async () => {
    await labUp('e2ereset', '--workers', '1', '--no-cluster');
  });
  afterAll(() => labDown('e2ereset'));

  it('leaves machines as they were, and what others put on them', async () => {
    const found = await resetLeavesNoTrace({
      directory: WORK,
      name: 'e2ereset',
      machines: ['cp1', 'w1'],
      cli: async (argv) => {
        const result = await keelson(argv);
        if (result.exitCode !== 0) throw new Error(`keelson ${argv.join(' ')}: ${result.stderr}`);
        return { stdout: String(result.stdout) };
      },
    });
    expect(found).toEqual([]);
  });
});
