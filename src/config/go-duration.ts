const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Largest magnitude of Go's time.Duration (int64 nanoseconds), in milliseconds. */
const LIMIT_MS = 9_223_372_036_854;

type GoDuration = { ms: number } | { error: string };

/**
 * A duration in Go's notation (`1h30m`, `4m0s`, `-1.5h`, `0`), in milliseconds, with fractions where the
 * text is finer than a millisecond.
 */
export function parseGoDuration(text: string): GoDuration {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return { ms: 0 };
  if (body === '') return { error: 'a duration such as 4m0s is needed' };
  let ms = 0;
  let rest = body;
  while (rest !== '') {
    const part = /^(\d+\.?\d*|\.\d+)([a-zµμ]*)/.exec(rest);
    if (part === null) return { error: `"${text}" is no duration; write it as 4m0s or 8760h` };
    const [whole, number = '', unit = ''] = part;
    const factor = UNIT_MS[unit];
    if (factor === undefined) {
      const why = unit === '' ? 'has no unit' : `has the unknown unit "${unit}"`;
      return { error: `"${text}" ${why}; the units are h, m, s, ms, us and ns` };
    }
    ms += Number(number) * factor;
    rest = rest.slice(whole.length);
  }
  if (ms > LIMIT_MS) return { error: `"${text}" is longer than the 292 years that a duration can hold` };
  return { ms: ms === 0 ? 0 : sign * ms };
}

/**
 * Milliseconds as Go prints a time.Duration: `8760h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`. Fractions below a
 * nanosecond are rounded.
 */
export function formatGoDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const whole = Math.trunc(Math.abs(ms));
  const ns = BigInt(whole) * 1_000_000n + BigInt(Math.round((Math.abs(ms) - whole) * 1e6));
  if (ns === 0n) return '0s';
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

/** A duration as Go prints it: `24h` becomes `24h0m0s`. Text that is no duration is returned unchanged. */
export function normaliseGoDuration(text: string): string {
  const parsed = parseGoDuration(text);
  return 'ms' in parsed ? formatGoDuration(parsed.ms) : text;
}
