import { describe, expect, it } from 'vitest';
import { waveSize, wavesOf } from '../../../../src/workflows/upgrade/waves.js';

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
