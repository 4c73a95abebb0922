import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createAuthority, createLeaf, openAuthority } from '../../src/pki/issue.js';

/** What goes wrong with one answer. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The connection breaks after so many bytes of the body. */
  | { kind: 'cut'; after: number }
  /** The byte at this place of the body is another. */
  | { kind: 'flip'; at: number }
  /** The server says nothing any more after so many bytes. */
  | { kind: 'stall'; after: number };

/** Asked for every request; null lets it pass. */
export type Faults = (path: string, headers: IncomingMessage['headers']) => Fault | null;

export interface TestTls {
  caPem: string;
  cert: string;
  key: string;
}

const DAY = 86_400_000;

/** An authority and a certificate of it for 127.0.0.1 that began so many days ago and is valid for one day. */
export async function testTls(startedDaysAgo = 0): Promise<TestTls> {
  const now = new Date(Date.now() - startedDaysAgo * DAY);
  const algorithm = 'ECDSA-P256';
  const ca = await createAuthority({ commonName: 'test', algorithm, validityMs: 30 * DAY }, { now });
  const authority = await openAuthority(ca, { cert: 'ca.crt', key: 'ca.key' });
  const leaf = await createLeaf(
    {
      commonName: 'server',
      organizations: [],
      usages: ['serverAuth'],
      sans: { dns: ['localhost'], ips: ['127.0.0.1'] },
      algorithm,
      validityMs: DAY,
      notBefore: 'backdated',
    },
    authority,
    { now },
  );
  return { caPem: ca.certPem, cert: leaf.certPem, key: leaf.keyPem };
}

export interface RunningServer {
  /** `https://127.0.0.1:PORT` */
  url: string;
  /** `METHOD PATH` of every request. */
  requests: string[];
}

/** A TLS server for the time of a test, which does to answers what `faults` says. */
export async function faultyServer(
  tls: TestTls,
  listener: RequestListener,
  faults: Faults = () => null,
): Promise<RunningServer> {
  const requests: string[] = [];
  const server = createServer(tls, (request, response) => {
    const path = request.url ?? '';
    requests.push(`${request.method} ${path}`);
    const fault = faults(path, request.headers);
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end('{}');
      return;
    }
    if (fault !== null) spoil(response, fault);
    listener(request, response);
  });
  return { url: `https://127.0.0.1:${await listen(server)}`, requests };
}

export async function listen(server: Server | import('node:http').Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Milliseconds in which a client takes what came: bytes that a broken connection still held are lost to it. */
const CUT_MS = 300;

function spoil(response: ServerResponse, fault: Exclude<Fault, { kind: 'status' }>): void {
  const { write, end } = response;
  let sent = 0;
  const passed = (chunk: unknown): Buffer => {
    const bytes = Buffer.from(chunk as Buffer);
    if (fault.kind === 'flip') {
      const at = fault.at - sent;
      sent += bytes.length;
      if (at >= 0 && at < bytes.length) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      return bytes;
    }
    const left = bytes.subarray(0, Math.max(0, fault.after - sent));
    sent += left.length;
    return left;
  };
  const broken = () => fault.kind !== 'flip' && sent >= fault.after;
  response.write = ((chunk: unknown, ...rest: unknown[]) => {
    const done = (write as (...args: unknown[]) => boolean).call(response, passed(chunk), ...rest);
    if (broken() && fault.kind === 'cut') setTimeout(() => response.socket?.destroy(), CUT_MS);
    return done;
  }) as typeof response.write;
  response.end = ((chunk?: unknown, ...rest: unknown[]) => {
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') response.write(chunk as Buffer);
    if (broken()) return response;
    return (end as (...args: unknown[]) => ServerResponse).call(response, ...rest);
  }) as typeof response.end;
}
