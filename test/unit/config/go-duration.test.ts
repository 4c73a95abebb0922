import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalDuration,
  durationMs,
  formatGoDuration,
  normaliseGoDuration,
  parseGoDuration,
} from '../../../src/config/go-duration.js';

test.each([
  ['0', 0],
  ['0s', 0],
  ['-0s', 0],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['-2s', -2000],
  ['+2s', 2000],
  ['250ms', 250],
  ['1us', 0.001],
  ['8760h0m0s', 31_536_000_000],
])('%s is %d ms', (text, ms) => expect(parseGoDuration(text)).toEqual({ ms }));

test.each(['', '5', '1d', 'h', '1h 2m', '1e3s', '5M', '-', '9999999999h', '1.2.3s'])(
  '%j is no duration',
  (text) => expect(parseGoDuration(text)).toHaveProperty('error'),
);

test.each([
  ['24h', '24h0m0s'],
  ['90s', '1m30s'],
  ['1500ms', '1.5s'],
  ['61.5s', '1m1.5s'],
  ['1.5us', '1.5µs'],
  ['7ns', '7ns'],
  ['0', '0s'],
  ['-90m', '-1h30m0s'],
  ['nonsense', 'nonsense'],
])('%s is printed as %s', (text, printed) => expect(normaliseGoDuration(text)).toBe(printed));

test('what is printed is read as the same duration', () => {
  fc.assert(
    fc.property(fc.integer({ min: -9_000_000_000_000, max: 9_000_000_000_000 }), (ms) => {
      expect(parseGoDuration(formatGoDuration(ms))).toEqual({ ms: ms === 0 ? 0 : expect.closeTo(ms, 3) });
    }),
  );
});

test.each([
  ['0', '0s'],
  ['0h', '0s'],
  ['8760h', '8760h0m0s'],
  ['1.5h', '1h30m0s'],
  ['250ns', '250ns'],
  ['-1m', '-1m0s'],
  ['.5s', '500ms'],
  ['87600h0.000000001s', '87600h0m0.000000001s'],
])('%s is written as Go does: %s', (text, expected) => expect(canonicalDuration(text)).toBe(expected));

test.each(['', '5', '1d', 'h', '1h ', '1h-5m', '1h2', '1x2h', '1e3s'])('%j is refused', (text) => {
  expect(() => canonicalDuration(text)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  expect(() => durationMs(text)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
});

test('a limit or a lifetime is not negative', () => {
  expect(durationMs('1h30m')).toBe(5_400_000);
  expect(() => durationMs('-1h')).toThrow('is negative');
});
