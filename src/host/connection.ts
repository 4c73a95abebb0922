import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Client, ClientChannel } from 'ssh2';
import { KeelsonError } from '../errors/keelson-error.js';

/** Channels at a time: sshd's MaxSessions is 10 by default, two stay free for ending stuck commands. */
const MAX_CHANNELS = 8;

/**
 * sshd counts a session until it has reaped its process, a moment after the channel closed, and an
 * administrator may allow fewer than ten: an open that fails is tried again for this long, in milliseconds.
 */
const OPEN_PATIENCE_MS = 15_000;
const OPEN_RETRY_MS = 20;

/** A session channel and how its command ended. */
interface Session {
  channel: ClientChannel;
  /** Exit code so far; null while it runs, and where it was ended by a signal. */
  exitCode(): number | null;
}

/** One authenticated SSH connection. Whatever is pending when it dies is told so by `onLost`. */
export interface Connection {
  readonly host: string;
  /** Runs `task` when one of the session channels is free. */
  inSlot<T>(task: () => Promise<T>): Promise<T>;
  /** Opens a session channel that runs a command line. */
  open(command: string): Promise<Session>;
  /** Opens a direct-tcpip channel. */
  forward(address: string, port: number): Promise<Duplex>;
  /** Calls back once, when the connection is lost or closed; at once where it already is. */
  onLost(callback: (error: KeelsonError) => void): () => void;
  close(): Promise<void>;
}

/**
 * Wraps a client that is ready. Keeps an error listener on it for its whole life, since an error of ssh2
 * without a listener ends the process.
 * @param onClosed called when the connection is gone (jump hosts are closed then)
 */
export function watchConnection(client: Client, host: string, onClosed: () => void): Connection {
  const limit = pLimit(MAX_CHANNELS);
  const listeners = new Set<(error: KeelsonError) => void>();
  let lost: KeelsonError | undefined;
  let cause: Error | undefined;
  let closing = false;

  const lose = (): void => {
    if (lost !== undefined) return;
    lost = closing ? closedError(host) : lostError(host, cause);
    for (const listener of listeners) listener(lost);
    listeners.clear();
    onClosed();
  };
  client.on('error', (error) => {
    cause ??= error;
  });
  const closed = new Promise<void>((resolve) => {
    client.once('close', () => {
      lose();
      resolve();
    });
  });

  const pending = <T>(start: (done: (error: Error | undefined, value: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      if (lost !== undefined) return reject(lost);
      listeners.add(reject);
      const done = (error: Error | undefined, value: T): void => {
        listeners.delete(reject);
        if (error) reject(lost ?? error);
        else resolve(value);
      };
      try {
        start(done);
      } catch (error) {
        listeners.delete(reject);
        reject(lostError(host, error));
      }
    });

  const openOnce = (command: string): Promise<Session> =>
    pending<Session>((done) =>
      client.exec(command, (error, channel) => {
        if (error) return done(error, undefined as never);
        // Here and now: a short command's exit status may be in the very packet that opened the channel.
        let code: number | null = null;
        channel.once('exit', (value: number | null) => {
          code = value;
        });
        done(undefined, { channel, exitCode: () => code });
      }),
    );

  return {
    host,
    inSlot: (task) => limit(task),
    open: async (command) => {
      const deadline = Date.now() + OPEN_PATIENCE_MS;
      for (;;) {
        try {
          return await openOnce(command);
        } catch (error) {
          if (error instanceof KeelsonError) throw error;
          // Nothing ran yet, so trying again is safe.
          if (Date.now() < deadline) {
            await delay(OPEN_RETRY_MS);
            continue;
          }
          throw new KeelsonError('CONNECTION', 'the SSH server opened no channel', {
            host,
            cause: error,
            hint: 'check MaxSessions in sshd_config: keelson uses up to 8 sessions a connection',
          });
        }
      }
    },
    forward: async (address, port) => {
      try {
        return await pending<Duplex>((done) => client.forwardOut('127.0.0.1', 0, address, port, done));
      } catch (error) {
        if (error instanceof KeelsonError) throw error;
        throw new KeelsonError('CONNECTION', `the host could not reach ${address}:${port}`, {
          host,
          cause: error,
          hint: 'check that it listens there, and that sshd allows AllowTcpForwarding',
          retryable: true,
        });
      }
    },
    onLost: (callback) => {
      if (lost !== undefined) callback(lost);
      else listeners.add(callback);
      return () => listeners.delete(callback);
    },
    close: async () => {
      closing = true;
      client.end();
      const timer = setTimeout(() => client.destroy(), 1000);
      if (lost === undefined) await closed;
      clearTimeout(timer);
    },
  };
}

function lostError(host: string, cause: unknown): KeelsonError {
  return new KeelsonError(
    'CONNECTION',
    'the SSH connection was lost; what was under way has an unknown outcome',
    {
      host,
      cause,
      hint: 'check the machine and the network, then run the command again: it re-checks before it repeats',
    },
  );
}

function closedError(host: string): KeelsonError {
  return new KeelsonError('CONNECTION', 'the SSH connection is closed', { host });
}
