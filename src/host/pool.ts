import pLimit from 'p-limit';
import { groupedLines } from '../errors/grouped.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import { connectHost } from './connect.js';
import type { ConnectOptions, SshSettings } from './settings.js';
import type { Host } from './types.js';

/** Connections under way at a time: enough to hide the network, few enough for this machine's processor. */
const CONCURRENCY = 20;

export interface PoolOptions extends ConnectOptions {
  /** Connections under way at a time; default 20. */
  concurrency?: number;
}

/**
 * Connects to all hosts at once. Either all are connected, or none stays so and the error tells every failure.
 * A passphrase or sudo password is asked for once, not once a host.
 * @returns hosts by name, in the given order
 * Errors: the common code of all failures, or HOSTS_FAILED where they differ.
 */
export async function connectAll(
  hosts: readonly { name: string; ssh: SshSettings }[],
  options: PoolOptions = {},
): Promise<Map<string, Host>> {
  const { connected, failures } = await connectSettled(hosts, options);
  if (failures.size === 0) return connected;
  await Promise.allSettled([...connected.values()].map((host) => host.close()));
  throw combineFailures([...failures.values()], hosts.length);
}

/**
 * Connects to all hosts at once, and tells which could not be reached instead of failing for them.
 * @returns hosts and failures by name, in the given order
 */
export async function connectSettled(
  hosts: readonly { name: string; ssh: SshSettings }[],
  options: PoolOptions = {},
): Promise<{ connected: Map<string, Host>; failures: Map<string, KeelsonError> }> {
  const limit = pLimit(options.concurrency ?? CONCURRENCY);
  const shared = askingOnce(options);
  const results = await Promise.allSettled(
    hosts.map(({ name, ssh }) => limit(() => connectHost(ssh, name, shared))),
  );
  const connected = new Map<string, Host>();
  const failures = new Map<string, KeelsonError>();
  for (const [index, result] of results.entries()) {
    const name = hosts[index]?.name ?? '';
    if (result.status === 'fulfilled') connected.set(name, result.value);
    else failures.set(name, toKeelsonError(result.reason).within({ host: name }));
  }
  return { connected, failures };
}

/** Failures of several hosts as one error: theirs where there is one, else all of them named. */
export function combineFailures(failures: readonly KeelsonError[], hosts: number): KeelsonError {
  const [first] = failures;
  if (first === undefined) return new KeelsonError('BUG', 'no failure to combine');
  if (failures.length === 1 && hosts === 1) return first;
  const aborted = failures.find((failure) => failure.code === 'ABORTED');
  if (aborted !== undefined) return aborted;
  const same = failures.every((failure) => failure.code === first.code);
  const lines = groupedLines(failures.map(({ host = '', message }) => ({ who: host, message })));
  const hints = [...new Set(failures.map((failure) => failure.hint).filter((hint) => hint !== undefined))];
  return new KeelsonError(
    same ? first.code : 'HOSTS_FAILED',
    `${failures.length} of ${hosts} hosts failed\n  ${lines.join('\n  ')}`,
    {
      hint: hints.length > 0 ? hints.join('; ') : undefined,
      host: failures.length === 1 ? first.host : undefined,
      cause: failures.length === 1 ? first : new AggregateError(failures, 'hosts failed'),
      retryable: failures.every((failure) => failure.retryable),
      details: failures.map(({ host, code, message, hint, details }) => ({
        host,
        code,
        message,
        hint,
        details,
      })),
    },
  );
}

function askingOnce(options: PoolOptions): PoolOptions {
  const { passphrase, sudoPassword } = options;
  const asked = new Map<string, Promise<string>>();
  const once = (key: string, ask: () => Promise<string>): Promise<string> => {
    const known = asked.get(key) ?? ask();
    asked.set(key, known);
    return known;
  };
  return {
    ...options,
    ...(passphrase === undefined
      ? {}
      : { passphrase: (file: string) => once(`file:${file}`, () => passphrase(file)) }),
    ...(sudoPassword === undefined ? {} : { sudoPassword: () => once('sudo', sudoPassword) }),
  };
}
