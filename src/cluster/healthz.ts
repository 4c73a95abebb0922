import { connect as tlsConnect } from 'node:tls';
import { Agent } from 'undici';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';

/**
 * Whether `/healthz` of a program answers with 200, as the host sees it. For programs whose serving certificate
 * is their own makeshift: nothing is checked, and nothing is sent but the question.
 */
export async function isHealthy(
  host: HostReader,
  { address, port }: Endpoint,
  signal: AbortSignal,
): Promise<boolean> {
  const agent = new Agent({
    connect: (_options, callback) => {
      host.forward(address, port).then(
        (channel) => {
          const socket = tlsConnect({ socket: channel, rejectUnauthorized: false, servername: '' });
          socket.once('secureConnect', () => callback(null, socket));
          socket.once('error', (error) => callback(error, null));
        },
        (error: Error) => callback(error, null),
      );
    },
  });
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(3_000)]);
    const { statusCode, body } = await agent.request({
      origin: 'https://localhost',
      path: '/healthz',
      method: 'GET',
      signal: limit,
    });
    await body.dump();
    return statusCode === 200;
  } catch {
    signal.throwIfAborted();
    return false;
  } finally {
    await agent.destroy();
  }
}
