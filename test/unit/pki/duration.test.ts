import { expect, it } from 'vitest';
import { durationMs } from '../../../src/pki/duration.js';

it.each([
  ['8760h0m0s', 365 * 24 * 3_600_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['100ms', 100],
  ['0', 0],
  ['0s', 0],
])('reads %s as Go does', (text, expected) => {
  expect(durationMs(text)).toBe(expected);
});

it.each(['', '1', '-1h', '1d', '1h ', 'h', '1h2', '1x2h', '1e3s'])('refuses %j', (text) => {
  expect(() => durationMs(text)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
});
