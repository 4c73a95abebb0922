import { parseGoDuration } from '../config/go-duration.js';
import { KeelsonError } from '../errors/keelson-error.js';

/** Options of every command that waits for pods to leave. */
export const DRAIN_OPTIONS = {
  force: {
    flags: '--force',
    description: 'also pods without a controller: nothing brings them back',
    kind: 'boolean',
  },
  timeout: {
    flags: '--timeout <duration>',
    description: 'give up after so long, for example 90s or 10m',
    kind: 'string',
    default: '10m',
  },
} as const;

/**
 * Milliseconds of a duration as Go writes it.
 * @throws USAGE for what is none, or not positive
 */
export function milliseconds(option: string, text: string): number {
  const parsed = parseGoDuration(text);
  if ('ms' in parsed && parsed.ms > 0) return parsed.ms;
  throw new KeelsonError('USAGE', `${option}: "${text}" is no duration`, { hint: 'write 90s, 10m or 1h30m' });
}
