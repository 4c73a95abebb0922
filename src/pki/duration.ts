import { KeelsonError } from '../errors/keelson-error.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/**
 * Milliseconds of a Go duration such as `8760h0m0s` or `1.5h`; `0` needs no unit.
 * Throws CONFIG for anything else, negative durations included.
 */
export function durationMs(text: string): number {
  if (text === '0') return 0;
  let total = 0;
  let end = 0;
  for (const match of text.matchAll(PART)) {
    total += Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN);
    end = match.index + match[0].length;
  }
  if (end === 0 || end !== text.length || !Number.isFinite(total)) {
    throw new KeelsonError('CONFIG', `'${text}' is not a duration`, {
      hint: 'write it as Go does, for example 8760h0m0s',
    });
  }
  return total;
}
