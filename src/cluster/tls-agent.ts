import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { Agent } from 'undici';
import { KeelsonError } from '../errors/keelson-error.js';
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

/** Whether the way to the host is gone for good, so that asking again is in vain. */
export function isLost(error: unknown): error is KeelsonError {
  return error instanceof KeelsonError && error.code === 'CONNECTION' && !error.retryable;
}

/**
 * An HTTP agent whose connections go through the host's SSH connection and are TLS with client certificate.
 * @param servername name or address that the server's certificate is checked for
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
          // An address is no server name of TLS, and is checked all the same.
          const checked = isIP(servername) === 0 ? { servername } : { host: servername, servername: '' };
          // As Go does: an intermediate authority that is trusted needs nobody above it.
          const trust = { ca, allowPartialTrustChain: true };
          const socket = tlsConnect({ socket: channel, ...trust, cert, key, ...checked });
          socket.once('secureConnect', () => callback(null, socket));
          socket.once('error', (error) => callback(error, null));
        },
        (error: Error) => callback(error, null),
      );
    },
  });
}
