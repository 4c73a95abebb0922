import { connect as tlsConnect } from 'node:tls';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';

const TIMEOUT_MS = 5_000;

/**
 * What the server at `endpoint`, as `host` sees it, presents in a TLS handshake: DER, in the order sent. Nothing
 * is checked, nothing but the handshake is sent, and a server that wants a client certificate has shown its own
 * before it finds out that there is none.
 * @throws CONNECTION where nothing answers, or not with TLS
 */
export async function presentedChain(
  host: HostReader,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Buffer[]> {
  const place = `${endpoint.address}:${endpoint.port}`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const failed = (cause: unknown) => {
    if (cause instanceof KeelsonError) return cause;
    const why = limit.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : String((cause as Error).message);
    return new KeelsonError('CONNECTION', `no TLS at ${place}: ${why}`, {
      host: host.name,
      cause,
      retryable: true,
    });
  };
  const channel = await host.forward(endpoint.address, endpoint.port);
  try {
    return await new Promise<Buffer[]>((resolve, reject) => {
      const socket = tlsConnect({ socket: channel, rejectUnauthorized: false, servername: '' });
      limit.addEventListener('abort', () => reject(failed(limit.reason)), { once: true });
      socket.once('secureConnect', () => resolve(chainOf(socket.getPeerCertificate(true))));
      socket.on('error', (error) => {
        // Before TLS 1.3 a server tells only at the end of the handshake that it wants more.
        const chain = chainOf(socket.getPeerCertificate(true) ?? {});
        if (chain.length > 0) resolve(chain);
        else reject(failed(error));
      });
      socket.once('close', () => reject(failed(new Error('the connection was closed'))));
    });
  } finally {
    channel.destroy();
  }
}

interface Peer {
  raw?: Buffer;
  fingerprint256?: string;
  issuerCertificate?: Peer;
}

function chainOf(leaf: Peer): Buffer[] {
  const chain: Buffer[] = [];
  const seen = new Set<string>();
  // A self-signed certificate is its own issuer.
  for (let peer: Peer | undefined = leaf; peer?.raw !== undefined; peer = peer.issuerCertificate) {
    const key = peer.fingerprint256 ?? '';
    if (seen.has(key)) break;
    seen.add(key);
    chain.push(peer.raw);
  }
  return chain;
}
