import { KeelsonError } from '../errors/keelson-error.js';

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Largest magnitude of Go's time.Duration (int64). */
const LIMIT_NS = 2n ** 63n - 1n;

type GoDuration = { ms: number } | { error: string };

/**
 * A duration in Go's notation (`1h30m`, `4m0s`, `-1.5h`, `0`), in milliseconds, with fractions where the
 * text is finer than a millisecond.
 */
export function parseGoDuration(text: string): GoDuration {
  const parsed = parseNanoseconds(text);
  return 'error' in parsed ? parsed : { ms: toMs(parsed.ns) };
}

/**
 * Milliseconds of a Go duration that is not negative.
 * @throws KeelsonError CONFIG for anything else
 */
export function durationMs(text: string): number {
  const { ns } = required(text);
  if (ns < 0n) throw new KeelsonError('CONFIG', `"${text}" is negative`, { hint: HINT });
  return toMs(ns);
}

/** A duration as Go prints it: `24h` becomes `24h0m0s`. Text that is no duration is returned unchanged. */
export function normaliseGoDuration(text: string): string {
  const parsed = parseNanoseconds(text);
  return 'error' in parsed ? text : format(parsed.ns);
}

/**
 * A duration as Go prints it.
 * @throws KeelsonError CONFIG for text that is no duration
 */
export function canonicalDuration(text: string): string {
  return format(required(text).ns);
}

/**
 * Milliseconds as Go prints a time.Duration: `8760h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`. Fractions below a
 * nanosecond are rounded.
 */
export function formatGoDuration(ms: number): string {
  const whole = Math.trunc(ms);
  return format(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}

const HINT = 'write it as Go does, for example 1h30m, 500ms or 8760h';

function required(text: string): { ns: bigint } {
  const parsed = parseNanoseconds(text);
  if ('error' in parsed) throw new KeelsonError('CONFIG', parsed.error, { hint: HINT });
  return parsed;
}

function parseNanoseconds(text: string): { ns: bigint } | { error: string } {
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return { ns: 0n };
  if (body === '') return { error: 'a duration such as 4m0s is needed' };
  let ns = 0n;
  let rest = body;
  while (rest !== '') {
    const part = /^(?:(\d+)\.?(\d*)|\.(\d+))([a-zµμ]*)/.exec(rest);
    if (part === null) return { error: `"${text}" is no duration; write it as 4m0s or 8760h` };
    const [all, whole = '0', decimals, bareDecimals, unit = ''] = part;
    const scale = UNIT_NS[unit];
    if (scale === undefined) {
      const why = unit === '' ? 'has no unit' : `has the unknown unit "${unit}"`;
      return { error: `"${text}" ${why}; the units are h, m, s, ms, us and ns` };
    }
    const fraction = decimals || bareDecimals || '0';
    ns += BigInt(whole) * scale + (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
    rest = rest.slice(all.length);
  }
  if (ns > LIMIT_NS) return { error: `"${text}" is longer than the 292 years that a duration can hold` };
  return { ns: text.startsWith('-') ? -ns : ns };
}

/** Whole milliseconds first: a number holds them exactly, and not always the nanoseconds. */
function toMs(ns: bigint): number {
  return Number(ns / 1_000_000n) + Number(ns % 1_000_000n) / 1e6;
}

function format(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const ns = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (ns < 1_000n) return `${sign}${ns}ns`;
  if (ns < 1_000_000n) return `${sign}${decimal(ns, 1_000n)}µs`;
  if (ns < 1_000_000_000n) return `${sign}${decimal(ns, 1_000_000n)}ms`;
  const minutes = ns / 60_000_000_000n;
  const seconds = `${decimal(ns % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return `${sign}${seconds}`;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `value / unit` in decimal notation without trailing zeros. */
function decimal(value: bigint, unit: bigint): string {
  const digits = String(unit).length - 1;
  const fraction = String(value % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  return fraction === '' ? String(value / unit) : `${value / unit}.${fraction}`;
}
