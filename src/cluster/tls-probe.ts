import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import type { Endpoint } from './tls-agent.js';
import { uncheckedTls } from './unchecked-tls.js';

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
  const { path, headers = {}, ...settings } = probe;
  let certificate: string | null = null;
  let text = '';
  try {
    await uncheckedTls<void>(host, endpoint, { ...settings, limitMs: PROBE_MS }, signal, (socket, done) => {
      socket.once('secureConnect', () => {
        certificate = socket.getPeerX509Certificate()?.toString() ?? null;
        const lines = Object.entries({ host: probe.servername ?? 'localhost', ...headers }).map(
          ([name, value]) => `${name}: ${value}\r\n`,
        );
        socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}connection: close\r\n\r\n`);
      });
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (text.includes('\r\n')) done();
      });
    });
  } catch (cause) {
    signal.throwIfAborted();
    if (certificate === null) throw silent(host, endpoint, cause);
  }
  if (certificate === null) throw silent(host, endpoint, new Error('it presented no certificate'));
  return { certificate, status: statusIn(text) };
}

function silent(host: HostReader, { address, port }: Endpoint, cause: unknown): KeelsonError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new KeelsonError('CONNECTION', `${address}:${port} does not answer: ${why}`, {
    host: host.name,
    retryable: true,
    cause,
  });
}

function statusIn(text: string): number | null {
  const match = /^HTTP\/1\.[01] (\d{3})/.exec(text);
  return match?.[1] === undefined ? null : Number(match[1]);
}
