import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { grpcMessages, snapshotPart } from './grpc.js';
import type { ClientCredentials, Endpoint } from './tls-agent.js';

/** A snapshot on its way from a member. */
export interface SnapshotStream {
  /** Bytes that will come, the 32 of the digest at the end included. */
  size: number;
  chunks: AsyncIterable<Buffer>;
}

/** A member that sends nothing for so long is given up, milliseconds. */
const SILENCE_MS = 60_000;
/** Bytes under way at once: http2's own 64 KiB would make every round trip a stop. */
const WINDOW_BYTES = 16 * 1024 * 1024;
const DIGEST_BYTES = 32;

/**
 * Hands the snapshot of the member at `endpoint`, as `host` sees it, to `use`, by etcd's own gRPC call through the
 * host's SSH connection. Nothing is written on the host.
 * @throws CONNECTION where the member does not answer or breaks off, API for what it refuses
 */
export async function withSnapshot<T>(
  host: HostReader,
  credentials: ClientCredentials,
  signal: AbortSignal,
  endpoint: Endpoint,
  use: (snapshot: SnapshotStream) => Promise<T>,
): Promise<T> {
  const broken = (error: unknown): KeelsonError => {
    if (error instanceof KeelsonError) return error;
    if (signal.aborted) return toKeelsonError(signal.reason);
    const text = error instanceof Error ? error.message : String(error);
    return new KeelsonError('CONNECTION', `the snapshot broke off: ${text}`, {
      host: host.name,
      cause: error,
      hint: 'keelson etcd status shows which members answer',
    });
  };
  let session: ClientHttp2Session | undefined;
  const abort = () => session?.destroy(new Error('interrupted'));
  try {
    session = await openHttp2(host, credentials, endpoint);
    signal.addEventListener('abort', abort, { once: true });
    signal.throwIfAborted();
    const parts = partsOf(session, host.name, broken);
    const first = await parts.next();
    if (first.done === true) throw new Error('the member sent nothing');
    const size = first.value.blob.length + first.value.remaining + DIGEST_BYTES;
    return await use({ size, chunks: chunksOf(first.value.blob, parts) });
  } catch (error) {
    throw broken(error);
  } finally {
    signal.removeEventListener('abort', abort);
    session?.destroy();
  }
}

async function openHttp2(
  host: HostReader,
  { ca, cert, key }: ClientCredentials,
  endpoint: Endpoint,
): Promise<ClientHttp2Session> {
  const channel = await host.forward(endpoint.address, endpoint.port);
  const socket = tlsConnect({
    socket: channel,
    ca,
    allowPartialTrustChain: true,
    cert,
    key,
    servername: 'localhost',
    ALPNProtocols: ['h2'],
  });
  const session = connect('https://localhost', {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
  });
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
    session.once('close', () => reject(new Error('the connection was closed')));
  });
  session.on('error', () => undefined);
  session.setLocalWindowSize(WINDOW_BYTES);
  return session;
}

async function* partsOf(session: ClientHttp2Session, host: string, broken: (error: unknown) => KeelsonError) {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/etcdserverpb.Maintenance/Snapshot',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.setTimeout(SILENCE_MS, () => stream.destroy(new Error('the member sends nothing any more')));
  const refusal = statusOf(stream, host);
  // An empty request: no compression, no bytes.
  stream.end(Buffer.alloc(5));
  try {
    for await (const message of grpcMessages(stream as AsyncIterable<Buffer>)) yield snapshotPart(message);
  } catch (error) {
    throw broken(error);
  }
  const refused = await refusal;
  if (refused !== null) throw refused;
}

/** What gRPC says at the end: null for success. */
function statusOf(stream: ClientHttp2Stream, host: string): Promise<KeelsonError | null> {
  return new Promise((resolve) => {
    let status: string | undefined;
    let message = '';
    const take = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] === undefined) return;
      status = String(headers['grpc-status']);
      message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('close', () => {
      if (status === '0') return resolve(null);
      const text = status === undefined ? 'the member broke off' : `etcd: ${message} (gRPC status ${status})`;
      resolve(new KeelsonError(status === undefined ? 'CONNECTION' : 'API', text, { host }));
    });
  });
}

async function* chunksOf(
  first: Buffer,
  parts: AsyncIterable<{ blob: Buffer }>,
): AsyncGenerator<Buffer, void, void> {
  yield first;
  for await (const { blob } of parts) yield blob;
}
