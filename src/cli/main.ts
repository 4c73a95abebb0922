import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { exitCodeOf, KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { CliIO, Command, CommandResult, GlobalOptions } from './command.js';
import { printOut, surviveClosedOutput } from './print-out.js';
import { COMMANDS } from './registry.js';

/** The installed version, from the package's own package.json. */
async function packageVersion(): Promise<string> {
  for (const up of ['../../../package.json', '../../package.json']) {
    const text = await readFile(new URL(up, import.meta.url), 'utf8').catch(() => '');
    if (text !== '') {
      const parsed = JSON.parse(text) as { name?: string; version?: string };
      if (parsed.name === 'keelson' && parsed.version !== undefined) return parsed.version;
    }
  }
  throw new KeelsonError('BUG', 'package.json of keelson not found beside its code');
}

/**
 * Runs the command line.
 * @param argv words after the program's name
 * @returns the process's exit code; see the README's table
 */
export async function main(argv: readonly string[], process: NodeJS.Process): Promise<number> {
  surviveClosedOutput(process);
  const signals = interruptSignals(process);
  const run: Run = {
    process,
    signals,
    global: { output: 'text', logFormat: 'text', verbose: false, color: useColor(process) },
  };
  try {
    return await dispatch(argv, run);
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    const { logFormat, verbose } = run.global;
    const { errorText } = await import('../report/error-text.js');
    process.stderr.write(
      errorText(error, { json: logFormat === 'json', stack: error.code === 'BUG' || verbose }),
    );
    return error.code === 'ABORTED' ? signals.exitCode() : exitCodeOf(error);
  } finally {
    signals.dispose();
  }
}

/** One run of the command line. */
interface Run {
  process: NodeJS.Process;
  signals: ReturnType<typeof interruptSignals>;
  /** The defaults until the words are parsed. */
  global: GlobalOptions;
}

async function dispatch(argv: readonly string[], run: Run): Promise<number> {
  const { process, signals } = run;
  if (argv[0] === '--version' || argv[0] === '-V' || argv[0] === 'version') {
    await printOut(process.stdout, `keelson ${await packageVersion()}\n`);
    return 0;
  }
  const found = findCommand(argv);
  if (found === null) return overview(argv, run);
  const command = await found.load();
  const { parseCommandLine } = await import('./parse.js');
  const parsed = parseCommandLine(command, found.rest, run.global);
  if ('help' in parsed) {
    await printOut(process.stdout, parsed.help);
    return 0;
  }
  run.global = parsed.global;
  const io = await ioOf(run);
  const result = await command.run({ args: parsed.args, options: parsed.options, global: run.global, io });
  // What was broken off is no result, also where a command gets along without hosts that don't answer.
  signals.abort.throwIfAborted();
  await printOut(process.stdout, await rendered(result, run.global));
  return result.exitCode ?? 0;
}

async function ioOf({ process, signals }: Run): Promise<CliIO> {
  const { askSecret, confirm } = await import('./prompt.js');
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: currentFolder(process),
    home: homedir(),
    get stop() {
      return signals.gently();
    },
    abort: signals.abort,
    askSecret: (prompt, without) => askSecret(prompt, without, process),
    terminal: process.stdin.isTTY === true,
    confirm: (question) => confirm(question, process, signals.stop),
  };
}

function currentFolder(process: NodeJS.Process): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new KeelsonError('USAGE', 'the current directory is gone', {
      cause,
      hint: 'change to one that is there',
    });
  }
}

function findCommand(argv: readonly string[]): { load: () => Promise<Command>; rest: string[] } | null {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ');
    const match = COMMANDS.find(
      (candidate) => candidate.name === name && candidate.name.split(' ').length === words,
    );
    if (match !== undefined) return { load: match.load, rest: argv.slice(words) };
  }
  return null;
}

async function overview(argv: readonly string[], run: Run): Promise<number> {
  const { stdout, stderr } = run.process;
  const { helpPage, unknownCommand } = await import('./help.js');
  const first = argv[0];
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const exact = argv[1] === undefined ? null : findCommand(argv.slice(1));
    if (exact !== null) return dispatch([...argv.slice(1), '--help'], run);
    await printOut(stdout, helpPage(COMMANDS, argv[1]));
    return 0;
  }
  const group = COMMANDS.some((candidate) => candidate.name.startsWith(`${first} `));
  if (group && (argv[1] === undefined || argv[1] === '--help' || argv[1] === '-h')) {
    await printOut(stdout, helpPage(COMMANDS, first));
    return argv[1] === undefined ? 2 : 0;
  }
  stderr.write(unknownCommand(argv, COMMANDS));
  return 2;
}

async function rendered(result: CommandResult, global: GlobalOptions): Promise<string> {
  if (global.output === 'json') return `${JSON.stringify(result.data, null, 2)}\n`;
  if (global.output === 'yaml') {
    const { stringify } = await import('yaml');
    return stringify(result.data, { compat: 'yaml-1.1' });
  }
  return result.text === '' || result.text.endsWith('\n') ? result.text : `${result.text}\n`;
}

function useColor(process: NodeJS.Process): boolean {
  const { NO_COLOR, TERM, CI } = process.env;
  return process.stderr.isTTY === true && (NO_COLOR ?? '') === '' && TERM !== 'dumb' && (CI ?? '') === '';
}

function interruptSignals(process: NodeJS.Process) {
  const stop = new AbortController();
  const abort = new AbortController();
  // Every wait and every command in flight listens.
  setMaxListeners(0, stop.signal, abort.signal);
  let code = 130;
  // A command that never asks for `stop` only reads: there is nothing to finish first.
  let gentle = false;
  const onSignal = (signal: NodeJS.Signals) => {
    code = signal === 'SIGTERM' ? 143 : 130;
    if (!gentle) {
      stop.abort();
      abort.abort(new KeelsonError('ABORTED', 'interrupted'));
      return;
    }
    if (stop.signal.aborted) {
      abort.abort(
        new KeelsonError('ABORTED', 'broken off; what was under way may be half done', {
          hint: 'run the same command again',
        }),
      );
      return;
    }
    process.stderr.write('keelson: stopping after what is under way; once more to break off\n');
    stop.abort(
      new KeelsonError('ABORTED', 'interrupted', {
        hint: 'run the same command again: it goes on from here',
      }),
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    stop: stop.signal,
    gently: () => {
      gentle = true;
      return stop.signal;
    },
    abort: abort.signal,
    exitCode: () => code,
    dispose: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
