import type { KeelsonError } from '../errors/keelson-error.js';
import type { Change, Standing } from './types.js';

/** Everything that a run tells; reporters turn it into lines, JSON or a live view. */
export type EngineEvent =
  | { type: 'run-started'; run: string; hosts: string[]; tasks: number }
  | { type: 'run-finished'; run: string; ok: boolean; changed: number; durationMs: number }
  | { type: 'task-planned'; phase: string; host: string; standing: Standing; changes: number }
  | { type: 'task-started'; phase: string; host: string; changes: number }
  | { type: 'task-finished'; phase: string; host: string; durationMs: number; changes: number }
  | { type: 'task-failed'; phase: string; host: string; error: KeelsonError }
  | { type: 'task-skipped'; phase: string; host: string; reason: string }
  | { type: 'change-started'; phase: string; host: string; change: Change }
  | { type: 'change-finished'; phase: string; host: string; change: Change }
  | { type: 'waiting'; phase: string; host: string; for: string; last: string }
  | { type: 'note'; host: string; level: 'info' | 'warning'; text: string };

/** An event with the time it happened, milliseconds since the epoch. */
export type TimedEvent = EngineEvent & { at: number };

export type Emit = (event: EngineEvent) => void;
