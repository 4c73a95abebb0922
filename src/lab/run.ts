import { execa } from 'execa';
import { KeelsonError } from '../errors/keelson-error.js';

/** Where Debian keeps the lab's programs; an ordinary user's PATH lacks the sbin directories. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface RunOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds; default 30,000, 0 is no limit. */
  timeoutMs?: number;
  /** Called with each line of stdout while the program runs. */
  onLine?: (line: string) => void;
  /** How it is ended on abort or time-out; default SIGTERM, then SIGKILL 5 s later. */
  killSignal?: 'SIGTERM' | 'SIGKILL';
  /** Exit codes that are no failure; default [0]. */
  acceptCodes?: readonly number[];
  /** Variables beside those that every program gets, or in their place. */
  env?: Readonly<Record<string, string | undefined>>;
}

/** Runs a local program and returns its stdout; LOCAL_COMMAND, DEADLINE or ABORTED otherwise. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const [file = '', ...args] = argv;
  const child = execa(file, args, {
    reject: false,
    stdin: 'ignore',
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...options.env },
    killSignal: options.killSignal ?? 'SIGTERM',
    timeout: options.timeoutMs ?? 30_000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  if (options.onLine !== undefined) {
    for await (const line of child) options.onLine(line);
  }
  const result = await child;
  if (result.isCanceled) throw new KeelsonError('ABORTED', 'interrupted');
  if (result.timedOut) throw new KeelsonError('DEADLINE', `${file} did not end in time`);
  if (result.exitCode === undefined || !(options.acceptCodes ?? [0]).includes(result.exitCode)) {
    const said = (result.stderr || result.stdout || result.shortMessage || '').trim();
    throw new KeelsonError('LOCAL_COMMAND', `${file} failed: ${said.split('\n').at(-1) ?? ''}`, {
      details: { argv, code: result.exitCode ?? null, output: said.slice(-4000) },
    });
  }
  return result.stdout;
}
