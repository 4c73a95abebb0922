import { posix } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Connection } from './connection.js';
import { runCommand } from './exec.js';
import { FACTS_SCRIPT, parseFacts } from './facts.js';
import { type PutTransport, putFiles } from './put.js';
import { allOrNothing, quote } from './quote.js';
import { parseReadAnswer } from './read.js';
import { buildReadScript } from './read-script.js';
import { type ConnectOptions, FIRST_ANSWER_MS, SLOW_MS } from './settings.js';
import { type Elevate, prepareElevation } from './sudo.js';
import type { ExecOptions, ExecResult, Host, HostFacts, ReadRequest, ReadResult } from './types.js';

/** Files that change while they are read are read again, at most this many times. */
const READ_ATTEMPTS = 3;
const SERVICE_TIMEOUT_MS = 180_000;
const READ_OUTPUT_BYTES = 256 * 1024 * 1024;

/** A Host over a connection that is ready. */
export function createSshHost(
  connection: Connection,
  login: {
    user: string;
    sudoPassword?: (() => Promise<string>) | undefined;
    onEvent?: ConnectOptions['onEvent'] | undefined;
  },
): Host {
  const own: Elevate = (command) => command;
  let elevation: Promise<Elevate> | undefined;
  const asRoot = (): Promise<Elevate> => {
    elevation ??= prepareElevation(connection, login.sudoPassword);
    return elevation;
  };
  const user = hostView(
    connection,
    () => Promise.resolve(own),
    () => root,
    login.onEvent,
  );
  const root: Host = login.user === 'root' ? user : hostView(connection, asRoot, () => root, login.onEvent);
  return user;
}

function hostView(
  connection: Connection,
  elevation: () => Promise<Elevate>,
  root: () => Host,
  onEvent: ConnectOptions['onEvent'],
): Host {
  const run = async (
    argv: readonly string[],
    display: string,
    options?: ExecOptions,
  ): Promise<ExecResult> => {
    const elevate = await elevation();
    return runCommand(connection, elevate({ argv, display }), options);
  };
  const exec = (argv: readonly string[], options?: ExecOptions): Promise<ExecResult> =>
    run(argv, quote(argv), options);
  const runScript = (
    name: string,
    text: string,
    args: readonly string[],
    options: ExecOptions,
  ): Promise<ExecResult> =>
    run(['sh', '-s', '--', ...args], [`<${name}>`, ...args].join(' '), {
      ...options,
      stdin: allOrNothing(text),
    });
  const transport: PutTransport = {
    exec: (argv, options) => run(argv, '<put>', options),
    script: (name, text, options) => runScript(name, text, [], options),
  };
  let facts: Promise<HostFacts> | undefined;
  /** Says who lets wait. */
  const named = async <T>(answer: Promise<T>): Promise<T> => {
    const timer = setTimeout(
      () =>
        onEvent?.({
          type: 'slow',
          host: connection.host,
          awaited: 'an answer to the first command',
          waitedMs: SLOW_MS,
          limitMs: FIRST_ANSWER_MS,
        }),
      SLOW_MS,
    );
    return answer.finally(() => clearTimeout(timer));
  };

  return {
    name: connection.host,
    exec,
    query: exec,
    script: (script, options = {}) => runScript(script.name, script.text, script.args ?? [], options),
    read: (request, options = {}) =>
      readAll(
        connection.host,
        (text) =>
          runScript('read', text, [], { ...options, acceptCodes: [0, 1], maxOutputBytes: READ_OUTPUT_BYTES }),
        request,
      ),
    facts: () => {
      facts ??= named(
        measureFacts((text) => runScript('facts', text, [], { timeoutMs: FIRST_ANSWER_MS })),
      ).catch((error: unknown) => {
        facts = undefined;
        throw withHost(error, connection.host);
      });
      return facts;
    },
    forward: (address, port) => connection.forward(address, port),
    put: async (files, options) => {
      try {
        return await putFiles(transport, files, options);
      } catch (error) {
        throw withHost(error, connection.host);
      }
    },
    remove: async (paths) => {
      for (const path of paths) checkRemovable(path);
      if (paths.length === 0) return;
      await exec(['rm', '-rf', '--one-file-system', '--preserve-root=all', '--', ...paths]);
    },
    service: async (action, unit) => {
      const target = unit === undefined ? [] : ['--', unit];
      await exec(['systemctl', action, ...target], { timeoutMs: SERVICE_TIMEOUT_MS });
    },
    asRoot: root,
    close: () => connection.close(),
  };
}

async function readAll(
  host: string,
  runRead: (script: string) => Promise<ExecResult>,
  request: ReadRequest,
): Promise<ReadResult> {
  for (const path of [...(request.files ?? []), ...(request.stats ?? [])]) {
    if (!posix.isAbsolute(path) || /[\n\0]/.test(path)) {
      throw new KeelsonError('USAGE', `${JSON.stringify(path)} is no absolute path`, { host });
    }
  }
  const script = buildReadScript(request);
  for (let attempt = 1; ; attempt += 1) {
    const answer = await runRead(script);
    if (answer.truncated)
      throw new KeelsonError('REMOTE_COMMAND', 'the answer to a read is too long', { host });
    if (answer.code === 1 && attempt < READ_ATTEMPTS) continue;
    try {
      return await parseReadAnswer(answer.stdout, request);
    } catch (error) {
      throw withHost(error, host);
    }
  }
}

async function measureFacts(runFacts: (script: string) => Promise<ExecResult>): Promise<HostFacts> {
  const sent = Date.now();
  const answer = await runFacts(FACTS_SCRIPT);
  return parseFacts(answer.stdout.toString('utf8'), sent, Date.now());
}

function checkRemovable(path: string): void {
  const depth = path.split('/').filter((part) => part !== '').length;
  if (!posix.isAbsolute(path) || depth === 0 || path.split('/').includes('..') || path.includes('\0')) {
    throw new KeelsonError(
      'USAGE',
      `${JSON.stringify(path)} is not to be removed: give an absolute path below /`,
    );
  }
}

function withHost(error: unknown, host: string): unknown {
  return error instanceof KeelsonError ? error.within({ host }) : error;
}
