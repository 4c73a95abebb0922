import { fileRefusal } from './file-error.js';

/** Stable codes of everything that can go wrong; each has one exit code (see `exitCodeOf`). */
export type ErrorCode =
  | 'BUG'
  | 'USAGE'
  | 'CONFIG'
  | 'PREFLIGHT'
  | 'CONNECTION'
  | 'AUTHENTICATION'
  | 'HOST_KEY'
  | 'REMOTE_COMMAND'
  | 'LOCAL_COMMAND'
  | 'PKI'
  | 'BUNDLE'
  | 'LAB'
  | 'API'
  | 'VERIFY'
  | 'DEADLINE'
  | 'LOCKED'
  | 'CONFLICT'
  | 'HOSTS_FAILED'
  | 'ABORTED';

const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  BUG: 1,
  USAGE: 2,
  CONFIG: 3,
  PKI: 3,
  BUNDLE: 3,
  PREFLIGHT: 4,
  CONNECTION: 5,
  AUTHENTICATION: 5,
  HOST_KEY: 5,
  REMOTE_COMMAND: 6,
  LOCAL_COMMAND: 6,
  LAB: 6,
  API: 6,
  VERIFY: 6,
  DEADLINE: 7,
  LOCKED: 8,
  CONFLICT: 8,
  HOSTS_FAILED: 9,
  ABORTED: 130,
};

/** Exit code of a planned change under `--detailed-exitcode`. */
export const EXIT_CHANGES = 10;

export interface ErrorContext {
  /** What the user can do now, as one imperative sentence. */
  hint?: string | undefined;
  /** Name of the host in the inventory. */
  host?: string | undefined;
  /** Name of the phase, for example `certs/apiserver`. */
  phase?: string | undefined;
  cause?: unknown;
  /** True only where repeating the very same operation is safe and may succeed. */
  retryable?: boolean | undefined;
  /** Evidence: command output, findings, last observed state. Must hold no secret. */
  details?: unknown;
}

/**
 * The base of every error that keelson throws on purpose. The message is short and has no trailing full
 * stop; evidence goes to `details`, the remedy to `hint`.
 */
export class KeelsonError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly host: string | undefined;
  readonly phase: string | undefined;
  readonly retryable: boolean;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = 'KeelsonError';
    this.code = code;
    this.hint = context.hint;
    this.host = context.host;
    this.phase = context.phase;
    this.retryable = context.retryable ?? false;
    this.details = context.details;
  }

  /** The same error with host or phase added where they were unknown; class, code and cause stay. */
  within(context: { host?: string; phase?: string }): KeelsonError {
    const added = new KeelsonError(this.code, this.message, {
      hint: this.hint,
      host: this.host ?? context.host,
      phase: this.phase ?? context.phase,
      cause: this.cause,
      retryable: this.retryable,
      details: this.details,
    });
    if (this.stack !== undefined) added.stack = this.stack;
    return added;
  }
}

/**
 * Any thrown value as a KeelsonError; what was not thrown on purpose is a BUG, but for what this machine's file
 * system refuses.
 * @param file that was worked on, where a file system's refusal may not name it
 */
export function toKeelsonError(thrown: unknown, file?: string): KeelsonError {
  if (thrown instanceof KeelsonError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new KeelsonError('ABORTED', 'interrupted', { cause: thrown });
  }
  const refusal = fileRefusal(thrown, file);
  if (refusal !== null) {
    return new KeelsonError('CONFIG', refusal.message, { cause: thrown, hint: refusal.hint });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new KeelsonError('BUG', message, {
    cause: thrown,
    hint: 'this is a defect of keelson: please report it with the event log of this run',
  });
}

/** Process exit code of an error, as the README's table lists them. */
export function exitCodeOf(error: KeelsonError): number {
  return EXIT_CODES[error.code];
}
