import { describe, expect, it } from 'vitest';
import { canonicalDuration } from '../../../src/manifests/go-duration.js';

describe('canonicalDuration', () => {
  it.each([
    ['0', '0s'],
    ['0h', '0s'],
    ['90s', '1m30s'],
    ['8760h', '8760h0m0s'],
    ['1h30m', '1h30m0s'],
    ['1.5h', '1h30m0s'],
    ['1500ms', '1.5s'],
    ['20ms', '20ms'],
    ['1500us', '1.5ms'],
    ['250ns', '250ns'],
    ['-1m', '-1m0s'],
    ['.5s', '500ms'],
  ])('writes %s as Go does: %s', (text, expected) => {
    expect(canonicalDuration(text)).toBe(expected);
  });

  it.each(['', '5', '1d', 'h', '1h ', '1h-5m'])('refuses %j', (text) => {
    expect(() => canonicalDuration(text)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});
