import { connect } from 'node:tls';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';

/** An answer takes no longer where a component is well. */
const ANSWER_MS = 5_000;

/**
 * What a component of the control plane says of itself at /healthz, as everybody may ask: `ok`, or what is wrong.
 * Its certificate is as a rule its own and says nothing, so it is not checked; nothing secret is sent. Never rejects.
 */
export async function componentHealth(host: HostReader, endpoint: Endpoint): Promise<string> {
  try {
    const channel = await host.forward(endpoint.address, endpoint.port);
    return await new Promise<string>((resolve) => {
      const socket = connect({ socket: channel, rejectUnauthorized: false });
      const chunks: Buffer[] = [];
      const end = (text: string) => {
        resolve(text);
        socket.destroy();
      };
      socket.setTimeout(ANSWER_MS, () => end('it does not answer'));
      socket.once('error', (error) => end(error.message));
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('end', () => end(healthIn(Buffer.concat(chunks).toString('utf8'))));
      socket.once('secureConnect', () =>
        socket.write(`GET /healthz HTTP/1.0\r\nHost: ${endpoint.address}\r\n\r\n`),
      );
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `ok` of an answer with status 200, else its first line. */
export function healthIn(answer: string): string {
  const [head = ''] = answer.split('\r\n', 1);
  return / 200( |$)/.test(head) ? 'ok' : head === '' ? 'it closes the connection' : head;
}
