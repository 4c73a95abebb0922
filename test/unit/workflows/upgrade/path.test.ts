import { describe, expect, it } from 'vitest';
import { compareVersions, upgradePath } from '../../../../src/workflows/upgrade/path.js';

const AVAILABLE = ['v1.36.3', 'v1.35.2', 'v1.35.4', 'v1.34.10', 'v1.34.9'];

describe('upgradePath', () => {
  it('takes a patch and a minor in one step', () => {
    expect(upgradePath('v1.36.1', 'v1.36.3', [])).toEqual([{ from: 'v1.36.1', to: 'v1.36.3' }]);
    expect(upgradePath('v1.35.4', 'v1.36.3', [])).toEqual([{ from: 'v1.35.4', to: 'v1.36.3' }]);
  });

  it('goes through every minor in between, at its newest patch', () => {
    expect(upgradePath('v1.33.1', 'v1.36.3', AVAILABLE).map(({ to }) => to)).toEqual([
      'v1.34.10',
      'v1.35.4',
      'v1.36.3',
    ]);
  });

  it('refuses to go back, and names the way to do so', () => {
    expect(() => upgradePath('v1.36.3', 'v1.36.1', AVAILABLE)).toThrow(
      expect.objectContaining({ code: 'CONFLICT', hint: expect.stringContaining('rollback') }),
    );
  });

  it('refuses a way with a minor that nobody can build', () => {
    expect(() => upgradePath('v1.34.9', 'v1.36.3', ['v1.36.3'])).toThrow(/leads through v1\.35/);
  });

  it('has nothing to do where the target runs already', () => {
    expect(upgradePath('v1.36.3', 'v1.36.3', AVAILABLE)).toEqual([]);
  });
});

describe('compareVersions', () => {
  it('compares numbers, not text', () => {
    expect(compareVersions('v1.34.10', 'v1.34.9')).toBeGreaterThan(0);
  });

  it('refuses what is no version', () => {
    expect(() => compareVersions('latest', 'v1.36.3')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
