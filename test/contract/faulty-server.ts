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
  | { kind: 'stall'; after: number }
  /** What the server has ends after so many bytes, and so do its answers, whole as they say. */
  | { kind: 'short'; bytes: number }
  /** A tenth of the answer comes every so many milliseconds. */
  | { kind: 'slow'; everyMs: number };

/** Asked for every request; null lets it pass. */
export type Faults = (path: string, headers: IncomingMessage['headers']) => Fault | null;

export interface TestTls {
  caPem: string;
  cert: string;
  key: string;
}

const DAY = 86_400_000;

/** An authority and a certificate of it for these addresses that began so many days ago and is valid for one day. */
export async function testTls(startedDaysAgo = 0, ips: readonly string[] = ['127.0.0.1']): Promise<TestTls> {
  const now = new Date(Date.now() - startedDaysAgo * DAY);
  const algorithm = 'ECDSA-P256';
  const ca = await createAuthority({ commonName: 'test', algorithm, validityMs: 30 * DAY }, { now });
  const authority = await openAuthority(ca, { cert: 'ca.crt', key: 'ca.key' });
  const leaf = await createLeaf(
    {
      commonName: 'server',
      organizations: [],
      usages: ['serverAuth'],
      sans: { dns: ['localhost'], ips: [...new Set(ips)] },
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
    if (fault?.kind === 'short') {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      shorten(response, Math.max(0, fault.bytes - start));
    } else if (fault?.kind === 'slow') slowDown(response, fault.everyMs);
    else if (fault !== null) spoil(response, fault);
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

function shorten(response: ServerResponse, bytes: number): void {
  const { writeHead } = response;
  response.writeHead = ((status: number, headers: Record<string, unknown>) => {
    const whole = Number(headers['content-length']);
    const length = { ...headers, 'content-length': Math.min(whole, bytes) };
    return writeHead.call(response, status, length as never);
  }) as typeof response.writeHead;
  const { write } = response;
  let left = bytes;
  const part = (chunk: unknown): Buffer => {
    const taken = Buffer.from(chunk as Buffer).subarray(0, left);
    left -= taken.length;
    return taken;
  };
  response.write = ((chunk: unknown, ...rest: unknown[]) =>
    (write as (...args: unknown[]) => boolean).call(response, part(chunk), ...rest)) as typeof response.write;
  const end = response.end as (...args: unknown[]) => ServerResponse;
  response.end = ((chunk?: unknown) =>
    Buffer.isBuffer(chunk) ? end.call(response, part(chunk)) : end.call(response)) as typeof response.end;
}

function slowDown(response: ServerResponse, everyMs: number): void {
  const { write } = response;
  const end = response.end as (...args: unknown[]) => ServerResponse;
  const whole: Buffer[] = [];
  response.write = ((chunk: Buffer, ...rest: unknown[]) => {
    whole.push(Buffer.from(chunk));
    const done = rest.find((entry): entry is () => void => typeof entry === 'function');
    done?.();
    return true;
  }) as typeof response.write;
  response.end = ((chunk?: unknown) => {
    if (Buffer.isBuffer(chunk)) whole.push(chunk);
    const bytes = Buffer.concat(whole);
    const step = Math.ceil(bytes.length / 10) || 1;
    let at = 0;
    const next = () => {
      if (at >= bytes.length) return void end.call(response);
      (write as (...args: unknown[]) => boolean).call(response, bytes.subarray(at, at + step));
      at += step;
      setTimeout(next, everyMs);
    };
    next();
    return response;
  }) as typeof response.end;
}

function spoil(response: ServerResponse, fault: Extract<Fault, { kind: 'cut' | 'flip' | 'stall' }>): void {
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
