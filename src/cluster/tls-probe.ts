import { connect as tlsConnect } from 'node:tls';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';

export interface TlsProbe {
  /** Path of a GET request. */
  path: string;
  /** Client certificate and key, PEM; default none. */
  identity?: { cert: string; key: string };
  headers?: Readonly<Record<string, string>>;
  /** Name that is asked for; servers with several certificates choose by it. */
  servername?: string;
}

export interface TlsAnswer {
  /** The certificate that the server presented, PEM. */
  certificate: string;
  /** HTTP status; null where the server ended the connection instead: it refused the client's certificate. */
  status: number | null;
}

const PROBE_MS = 10_000;

/**
 * Connects to what listens at `endpoint`, as `host` sees it, and looks: which certificate it presents, and what it
 * answers to one request with this identity. The server's certificate is not checked: whoever asks judges it.
 * @throws CONNECTION (retryable) where nothing answers TLS
 */
export async function tlsProbe(
  host: HostReader,
  endpoint: Endpoint,
  probe: TlsProbe,
  signal: AbortSignal,
): Promise<TlsAnswer> {
  const place = `${endpoint.address}:${endpoint.port}`;
  const silent = (cause: unknown) =>
    new KeelsonError(
      'CONNECTION',
      `${place} does not answer: ${cause instanceof Error ? cause.message : cause}`,
      {
        host: host.name,
        retryable: true,
        cause,
      },
    );
  signal.throwIfAborted();
  const channel = await host.forward(endpoint.address, endpoint.port).catch((cause: unknown) => {
    throw silent(cause);
  });
  const { identity, headers = {} } = probe;
  const socket = tlsConnect({
    socket: channel,
    rejectUnauthorized: false,
    ...(probe.servername === undefined ? {} : { servername: probe.servername }),
    ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
  });
  return new Promise<TlsAnswer>((resolve, reject) => {
    let certificate: string | null = null;
    let text = '';
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
    const end = (error?: unknown) => {
      limit.removeEventListener('abort', aborted);
      socket.destroy();
      channel.destroy();
      if (signal.aborted) reject(signal.reason);
      else if (certificate === null) reject(silent(error ?? 'the connection was closed'));
      else resolve({ certificate, status: statusIn(text) });
    };
    const aborted = () => end(new Error(`no answer within ${PROBE_MS / 1000} s`));
    limit.addEventListener('abort', aborted);
    socket.once('secureConnect', () => {
      certificate = socket.getPeerX509Certificate()?.toString() ?? null;
      const lines = Object.entries({ host: probe.servername ?? 'localhost', ...headers }).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      socket.write(`GET ${probe.path} HTTP/1.1\r\n${lines.join('')}connection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n')) end();
    });
    socket.once('error', end);
    socket.once('close', () => end());
  });
}

function statusIn(text: string): number | null {
  const match = /^HTTP\/1\.[01] (\d{3})/.exec(text);
  return match?.[1] === undefined ? null : Number(match[1]);
}
