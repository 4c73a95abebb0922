import { describe, expect, it } from 'vitest';
import { bundleOf } from '../../../src/cli/upgrade-target.js';

describe('bundleOf', () => {
  const next = (before: string) => bundleOf(before, 'v1.36.1', 'v1.36.3', '/cache/v1.36.3');

  it('looks beside a bundle that is named after its version', () => {
    expect(next('/srv/bundles/v1.36.1')).toBe('/srv/bundles/v1.36.3');
    expect(next('../v1.36.1/')).toBe('../v1.36.3/');
  });

  it('takes the one in the cache where the name tells nothing', () => {
    expect(next('./bundle')).toBe('/cache/v1.36.3');
  });

  it('keeps the bundle of the version that the file has already', () => {
    expect(bundleOf('./bundle', 'v1.36.3', 'v1.36.3', '/cache')).toBe('./bundle');
  });
});
