import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { Agent } from 'undici';
import type { HostReader } from '../host/types.js';

export interface ClientCredentials {
  /** PEM of the CA that the server's certificate chains to. */
  ca: string;
  cert: string;
  key: string;
}

export interface Endpoint {
  /** As the host sees it. */
  address: string;
  port: number;
}

/**
 * An HTTP agent whose connections go through the host's SSH connection and are TLS with client certificate.
 * @param servername name that the server's certificate is checked for
 */
export function tlsAgent(
  host: HostReader,
  endpoint: Endpoint,
  credentials: ClientCredentials,
  servername: string,
): Agent {
  return new Agent({
    connections: 4,
    pipelining: 1,
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
    connect: (_options, callback) => {
      host.forward(endpoint.address, endpoint.port).then(
        (channel: Duplex) => {
          const { ca, cert, key } = credentials;
          // TLS has no addresses as server names; the certificate is checked for them all the same.
          const name = isIP(servername) === 0 ? { servername } : { host: servername };
          const socket = tlsConnect({ socket: channel, ca, cert, key, ...name });
          socket.once('secureConnect', () => callback(null, socket));
          socket.once('error', (error) => callback(error, null));
        },
        (error: Error) => callback(error, null),
      );
    },
  });
}
