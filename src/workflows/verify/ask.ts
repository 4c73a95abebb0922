import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import pLimit from 'p-limit';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { HostReader } from '../../host/types.js';
import { joinHostPort } from '../../manifests/addresses.js';
import type { CheckName, CheckRow } from './checks.js';
import type { HttpAnswer, Verdict } from './judge.js';

/** Connections through one host at a time. sshd counts sessions, not forwarded connections; one that hangs takes seconds. */
const CONNECTIONS_PER_HOST = 24;

interface HttpTarget {
  address: string;
  port: number;
  /** With leading slash. */
  path: string;
}

/** GETs through a host, as that host reaches the target; needs no program there. */
export type Ask = (host: HostReader, target: HttpTarget, timeoutMs: number) => Promise<HttpAnswer>;

/** An `Ask` that keeps to a few connections a host. Fails with CONNECTION, retryable. */
export function asker(signal: AbortSignal): Ask {
  const limits = new Map<string, ReturnType<typeof pLimit>>();
  return (host, target, timeoutMs) => {
    const limit = limits.get(host.name) ?? pLimit(CONNECTIONS_PER_HOST);
    limits.set(host.name, limit);
    return limit(() => get(host, target, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), signal));
  };
}

async function get(
  host: HostReader,
  target: HttpTarget,
  deadline: AbortSignal,
  stop: AbortSignal,
): Promise<HttpAnswer> {
  stop.throwIfAborted();
  const place = joinHostPort(target.address, target.port);
  try {
    const channel = await before(deadline, host.forward(target.address, target.port));
    return await exchange(channel, target, place, deadline);
  } catch (cause) {
    stop.throwIfAborted();
    if (cause instanceof KeelsonError) throw cause;
    const said = deadline.aborted
      ? 'no answer in time'
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw new KeelsonError('CONNECTION', `${place} from ${host.name}: ${said}`, {
      host: host.name,
      retryable: true,
      cause,
    });
  }
}

/** A channel that opens only after the deadline is closed again. */
function before(deadline: AbortSignal, opening: Promise<Duplex>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const late = () => {
      reject(deadline.reason);
      opening.then((channel) => channel.destroy()).catch(() => undefined);
    };
    if (deadline.aborted) return late();
    deadline.addEventListener('abort', late, { once: true });
    opening.then(resolve, reject).finally(() => deadline.removeEventListener('abort', late));
  });
}

function exchange(
  channel: Duplex,
  target: HttpTarget,
  place: string,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        path: target.path,
        headers: { host: place, connection: 'close' },
        createConnection: () => channel,
        signal,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.once('close', () => channel.destroy());
    outgoing.end();
  });
}

/** Until when a check may be tried again: services and names reach all nodes a moment after they are made. */
export interface Patience {
  signal: AbortSignal;
  /** Milliseconds since the epoch. */
  until: number;
}

/** Tries until it passes or patience is over, and at least once; errors count as failed attempts. */
export async function settle(
  place: { check: CheckName; from: string; to: string },
  patience: Patience,
  attempt: () => Promise<Verdict>,
): Promise<CheckRow> {
  const started = performance.now();
  let last: Verdict = { passed: false, detail: '' };
  try {
    await waitUntil(
      async () => {
        last = await attempt().catch((thrown: unknown): Verdict => {
          patience.signal.throwIfAborted();
          const error = toKeelsonError(thrown);
          if (error.code === 'BUG') throw thrown;
          return { passed: false, detail: error.message };
        });
        return { met: last.passed, state: last.detail };
      },
      {
        for: place.check,
        deadlineMs: Math.max(0, patience.until - Date.now()),
        intervalMs: 150,
        signal: patience.signal,
      },
    );
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
  }
  return {
    ...place,
    result: last.passed ? 'passed' : 'failed',
    durationMs: Math.round(performance.now() - started),
    detail: last.detail,
  };
}
