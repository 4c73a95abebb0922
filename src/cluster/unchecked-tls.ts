import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';

export interface UncheckedTls {
  /** Milliseconds for everything behind the SSH channel. */
  limitMs: number;
  /** Client certificate and key, PEM; default none. */
  identity?: { cert: string; key: string };
  /** Name that is asked for; servers with several certificates choose by it. */
  servername?: string;
}

/**
 * A TLS connection to what listens at `endpoint`, as `host` sees it, whose server is **not** checked: for whoever looks
 * at its certificate and sends no secret. Closed at the end.
 * @param watch hears the socket first, and says when it has seen enough
 * @throws what forwarding throws, and otherwise plain errors: no answer in time, closed, or what TLS says
 */
export async function uncheckedTls<T>(
  host: HostReader,
  endpoint: Endpoint,
  { limitMs, identity, servername = '' }: UncheckedTls,
  signal: AbortSignal,
  watch: (socket: TLSSocket, done: (seen: T) => void) => void,
): Promise<T> {
  signal.throwIfAborted();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  const channel = await host.forward(endpoint.address, endpoint.port);
  const socket = tlsConnect({ socket: channel, rejectUnauthorized: false, servername, ...identity });
  try {
    return await new Promise<T>((resolve, reject) => {
      const late = () =>
        reject(signal.aborted ? signal.reason : new Error(`no answer within ${limitMs / 1000} s`));
      limit.addEventListener('abort', late, { once: true });
      watch(socket, resolve);
      socket.on('error', reject);
      socket.once('close', () => reject(new Error('the connection was closed')));
      if (limit.aborted) late();
    });
  } finally {
    socket.destroy();
    channel.destroy();
  }
}
