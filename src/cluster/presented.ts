import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';
import { uncheckedTls } from './unchecked-tls.js';

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
  try {
    return await uncheckedTls<Buffer[]>(host, endpoint, { limitMs: TIMEOUT_MS }, signal, (socket, done) => {
      socket.once('secureConnect', () => done(chainOf(socket.getPeerCertificate(true))));
      // Before TLS 1.3 a server tells only at the end of the handshake that it wants more.
      socket.on('error', () => {
        const chain = chainOf(socket.getPeerCertificate(true) ?? {});
        if (chain.length > 0) done(chain);
      });
    });
  } catch (cause) {
    if (cause instanceof KeelsonError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KeelsonError('CONNECTION', `no TLS at ${endpoint.address}:${endpoint.port}: ${why}`, {
      host: host.name,
      cause,
      retryable: true,
    });
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
