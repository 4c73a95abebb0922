import type { ClientChannel } from 'ssh2';
import { KeelsonError } from '../errors/keelson-error.js';
import { redact } from '../errors/redaction.js';
import { findBeginning, WITH_MARK } from './beginning.js';
import type { Connection } from './connection.js';
import { abortedError } from './deadline.js';
import { noteSent } from './garbage.js';
import { Output } from './output.js';
import { quote } from './quote.js';
import type { Ending, ExecOptions, ExecResult } from './types.js';

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Milliseconds that a killed command has to end before its channel is closed over it. */
const KILL_GRACE_MS = 3000;
const TAIL_BYTES = 2000;

/** A command as it goes over the wire. */
export interface WireCommand {
  argv: readonly string[];
  /** For people: result, errors and logs. */
  display: string;
  /** Sent on stdin before the command's own input (sudo's password); never kept or shown. */
  preamble?: string | undefined;
  /** Prefix that gives the right to kill the command. */
  killPrefix?: readonly string[];
}

/**
 * Runs a command in a channel of its own.
 * Errors: REMOTE_COMMAND (code not accepted, or ended by a signal), DEADLINE, ABORTED, CONNECTION (outcome unknown).
 */
export async function runCommand(
  connection: Connection,
  command: WireCommand,
  options: ExecOptions = {},
): Promise<ExecResult> {
  const { signal } = options;
  if (signal?.aborted) throw abortedError(connection.host);
  return connection.inSlot(async () => {
    if (signal?.aborted) throw abortedError(connection.host);
    return accept(await run(connection, command, options), options);
  });
}

async function run(connection: Connection, command: WireCommand, options: ExecOptions): Promise<ExecResult> {
  const started = performance.now();
  const env = Object.entries(options.env ?? {}).map(([key, value]) => `${key}=${value}`);
  const argv = env.length > 0 ? ['env', ...env, ...command.argv] : command.argv;
  const { channel, exitCode } = await connection.open(quote(['exec', 'sh', '-c', WITH_MARK, 'sh', ...argv]));

  const limit = options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
  const stdout = new Output(limit);
  const stderr = new Output(limit);
  const beginning = findBeginning((chunk) => {
    stdout.add(chunk);
    options.onStdout?.(chunk);
  });
  channel.on('data', (chunk: Buffer) => beginning.add(chunk));
  channel.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));

  const ended = await new Promise<{ ending: Ending; code: number | null }>((resolve, reject) => {
    let stopped: Ending | undefined;
    let grace: NodeJS.Timeout | undefined;
    const finish = (): void => {
      release();
      const code = exitCode();
      resolve(
        stopped === undefined
          ? { ending: code === null ? 'signalled' : 'exited', code }
          : { ending: stopped, code: null },
      );
    };
    const stop = (ending: Ending): void => {
      if (stopped !== undefined) return;
      stopped = ending;
      grace = setTimeout(() => {
        channel.close();
        finish();
      }, KILL_GRACE_MS);
      killOnce();
    };
    let killed = false;
    const killOnce = (): void => {
      if (killed || stopped === undefined) return;
      const pid = beginning.pid();
      if (pid === undefined) return;
      killed = true;
      kill(connection, command, pid).catch(() => undefined);
    };
    // The pid of a command stopped at its very start is still on its way.
    channel.on('data', () => killOnce());
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timer = timeoutMs > 0 ? setTimeout(() => stop('timed-out'), timeoutMs) : undefined;
    const abort = (): void => stop('aborted');
    const forget = connection.onLost((error) => {
      release();
      reject(error);
    });
    const release = (): void => {
      clearTimeout(timer);
      clearTimeout(grace);
      options.signal?.removeEventListener('abort', abort);
      forget();
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    // stderr may have bytes to hand over in this turn of the loop still. A lost connection also closes
    // channels; it is reported as lost, not as a signal.
    channel.once('close', () => setImmediate(finish));
    channel.on('error', () => undefined);
    feed(channel, command.preamble, options.stdin).catch((error) => {
      release();
      channel.close();
      reject(error);
    });
  });

  const result = {
    host: connection.host,
    command: redact(command.display, options.secrets),
    ...ended,
    stdout: stdout.bytes(),
    stderr: stderr.bytes(),
    truncated: stdout.truncated || stderr.truncated,
    durationMs: performance.now() - started,
  };
  if (beginning.pid() === undefined && ended.ending !== 'aborted')
    throw neverBegan(result, beginning.before(), options);
  return result;
}

async function feed(
  channel: ClientChannel,
  preamble: string | undefined,
  stdin: ExecOptions['stdin'],
): Promise<void> {
  if (preamble !== undefined) channel.write(preamble);
  if (stdin === undefined || typeof stdin === 'string' || Buffer.isBuffer(stdin)) {
    channel.end(stdin);
    return;
  }
  // A channel that the host closes never calls back from a write: race every wait with its end.
  const closed = new Promise<'closed'>((resolve) => channel.once('close', () => resolve('closed')));
  for await (const chunk of stdin) {
    // The callback comes when the bytes are in packets, and not earlier: then the chunk's memory is free again.
    const taken = new Promise<'taken'>((resolve) => channel.write(chunk, () => resolve('taken')));
    if ((await Promise.race([taken, closed])) === 'closed') return;
    noteSent(chunk.length);
  }
  channel.end();
}

async function kill(connection: Connection, command: WireCommand, pid: string): Promise<void> {
  const script = `kill -s TERM -- -${pid} || exit 0; for i in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- -${pid} || exit 0; sleep 0.1; done; kill -s KILL -- -${pid}`;
  const { channel } = await connection.open(quote([...(command.killPrefix ?? []), 'sh', '-c', script]));
  channel.on('error', () => undefined);
  channel.stderr.resume();
  channel.resume();
  channel.end(command.preamble);
}

/** The login shell did not come to the command: it refuses commands, or waits for something. */
function neverBegan(result: ExecResult, before: string, options: ExecOptions): KeelsonError {
  const { host, command, ending, code } = result;
  const said = { stdout: redact(before, options.secrets), stderr: tail(result.stderr, options.secrets) };
  const details = { command, ending, code, ...said, durationMs: Math.round(result.durationMs) };
  if (ending === 'timed-out') {
    const seconds = Math.round((options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 1000);
    return new KeelsonError('DEADLINE', `the login succeeds, but no command began within ${seconds} s`, {
      host,
      details,
      hint: 'log in there by hand to see what it waits for: a start-up file of the shell, or a home directory on a network that is gone',
    });
  }
  const [words] = [said.stdout, said.stderr]
    .flatMap((text) => text.trim().split('\n'))
    .filter((line) => line !== '');
  return new KeelsonError(
    'REMOTE_COMMAND',
    `the login succeeds, but its shell runs no commands${words === undefined ? '' : `: ${words.trim()}`}`,
    {
      host,
      details,
      hint: 'give that user a shell that runs commands (usermod -s /bin/sh USER there), or log in as another: spec.ssh.user',
    },
  );
}

function accept(result: ExecResult, options: ExecOptions): ExecResult {
  const { host, command, ending, code } = result;
  const accepted = options.acceptCodes ?? [0];
  if (ending === 'exited' && (accepted === 'any' || (code !== null && accepted.includes(code))))
    return result;
  const details = {
    command,
    ending,
    code,
    stderr: tail(result.stderr, options.secrets),
    stdout: tail(result.stdout, options.secrets),
    durationMs: Math.round(result.durationMs),
  };
  if (ending === 'aborted') throw new KeelsonError('ABORTED', `interrupted: ${command}`, { host, details });
  if (ending === 'timed-out') {
    throw new KeelsonError(
      'DEADLINE',
      `no end after ${options.timeoutMs ?? DEFAULT_TIMEOUT_MS} ms: ${command}`,
      {
        host,
        details,
      },
    );
  }
  const how = ending === 'signalled' ? 'was killed' : `exited with ${code}`;
  const said = details.stderr.trim().split('\n').at(-1);
  throw new KeelsonError('REMOTE_COMMAND', `\`${command}\` ${how}${said ? `: ${said}` : ''}`, {
    host,
    details,
  });
}

function tail(bytes: Buffer, secrets: readonly string[] | undefined): string {
  // Masked before it is cut, so that no secret is cut in two and shown by half.
  const text = redact(bytes.subarray(-8 * TAIL_BYTES).toString('utf8'), secrets);
  return text.slice(-TAIL_BYTES);
}
