import type { TimedEvent } from '../engine/events.js';
import { redact } from '../errors/redaction.js';
import { counted } from './counted.js';
import { describeChange } from './describe.js';
import { duration } from './table.js';

export type Reporter = { event: (event: TimedEvent) => void; close: () => Promise<void> };

/** One JSON object a line, every event. */
export function jsonLines(write: (text: string) => void): Reporter {
  return {
    event: (event) =>
      write(`${redact(JSON.stringify({ ...event, at: new Date(event.at).toISOString() }))}\n`),
    close: async () => undefined,
  };
}

/** A line for what matters; with `verbose`, for every change. */
export function textLines(write: (text: string) => void, options: { verbose: boolean }): Reporter {
  let start: number | undefined;
  return {
    event: (event) => {
      start ??= event.at;
      const text = lineOf(event, options.verbose);
      if (text === null) return;
      const host = 'host' in event && event.host !== '' ? event.host : 'cluster';
      write(`${((event.at - start) / 1000).toFixed(1).padStart(6)}s ${host.padEnd(8)} ${redact(text)}\n`);
    },
    close: async () => undefined,
  };
}

/** What one event says, or null where it is not worth a line. */
export function lineOf(event: TimedEvent, verbose: boolean): string | null {
  switch (event.type) {
    case 'run-started':
      return `${event.run}: ${counted(event.tasks, 'task')} on ${event.hosts.join(', ')}`;
    case 'run-finished':
      return `${event.run} ${event.ok ? 'finished' : 'failed'}: ${counted(event.changed, 'change')} in ${duration(event.durationMs)}`;
    case 'task-finished':
      return `${event.phase}: done, ${event.changes} ${event.changes === 1 ? 'change' : 'changes'} in ${duration(event.durationMs)}`;
    case 'task-failed':
      return `${event.phase}: failed: ${event.error.message.split('\n')[0] ?? ''}`;
    case 'task-skipped':
      return `${event.phase}: skipped: ${event.reason}`;
    case 'waiting':
      return `${event.phase}: waiting for ${event.for}: ${event.last}`;
    case 'note':
      return event.level === 'warning' ? `warning: ${event.text}` : event.text;
    case 'task-started':
      return verbose ? `${event.phase}: ${event.changes} changes` : null;
    case 'change-finished':
      return verbose ? `${event.phase}: ${describeChange(event.change)}` : null;
    default:
      return null;
  }
}
