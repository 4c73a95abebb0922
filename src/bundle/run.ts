import { execa } from 'execa';
import { KeelsonError } from '../errors/keelson-error.js';

export interface RunOptions {
  cwd?: string;
  /** Added to the inherited environment; undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal | undefined;
  /** What it reads from stdin; default nothing. */
  input?: string;
  /** Each line of stderr as it comes. */
  onLine?: ((line: string) => void) | undefined;
  hint?: string;
}

const EVIDENCE_BYTES = 8_192;

/**
 * Runs a local program and gives its stdout.
 * @throws KeelsonError LOCAL_COMMAND with the end of stderr in `details`, or ABORTED
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { onLine } = options;
  const child = execa(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    reject: false,
    stderr: onLine === undefined ? 'pipe' : ['pipe', lineTransform(onLine)],
  });
  const result = await child;
  if (result.isCanceled) throw new KeelsonError('ABORTED', `interrupted while running ${program}`);
  if (result.failed) {
    const stderr = String(result.stderr ?? '');
    const missing = result.code === 'ENOENT';
    throw new KeelsonError(
      'LOCAL_COMMAND',
      missing
        ? `${program} is not installed`
        : `${program} ${args[0] ?? ''} failed: ${lastLine(stderr) || result.shortMessage}`,
      {
        hint: options.hint,
        details: { command: result.escapedCommand, stderr: stderr.slice(-EVIDENCE_BYTES) },
      },
    );
  }
  return String(result.stdout ?? '');
}

function lineTransform(onLine: (line: string) => void) {
  return function* (line: unknown) {
    onLine(String(line));
    yield line;
  };
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
