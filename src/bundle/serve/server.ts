import { timingSafeEqual } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Bundle, blobPath } from '../bundle.js';
import { INDEX_MEDIA_TYPE } from '../image.js';
import type { Credentials } from '../registry/client.js';
import { routeOf } from './routes.js';

export interface ServeOptions {
  /** Certificate and key in PEM; without them it is plain HTTP. */
  tls?: { cert: string; key: string } | undefined;
  /** Who may read; without it everybody. */
  credentials?: Credentials | undefined;
  /** Every answer: method, path, status. */
  onRequest?: ((line: string) => void) | undefined;
}

/** A registry and file server of bundles that takes nothing: only GET and HEAD are answered. */
export function bundleServer(bundles: readonly Bundle[], options: ServeOptions = {}): Server {
  const listener: RequestListener = (request, response) => {
    answer(bundles, options, request, response).catch((error: Error) => response.destroy(error));
    response.on('close', () =>
      options.onRequest?.(`${request.method} ${request.url} ${response.statusCode}`),
    );
  };
  return options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
}

async function answer(
  bundles: readonly Bundle[],
  { credentials }: ServeOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  if (request.method !== 'GET' && request.method !== 'HEAD') return fail(response, 405, 'UNSUPPORTED');
  if (credentials !== undefined && !isAllowed(request.headers.authorization, credentials)) {
    response.setHeader('WWW-Authenticate', 'Basic realm="keelson"');
    return fail(response, 401, 'UNAUTHORIZED');
  }
  const url = new URL(request.url ?? '/', 'http://server');
  const route = routeOf(bundles, url.pathname, url.searchParams);
  switch (route?.kind) {
    case undefined:
      return fail(response, 404, 'NOT_FOUND');
    case 'api':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    case 'index':
      response.setHeader('Docker-Content-Digest', `sha256:${route.sha256}`);
      response.writeHead(200, { 'content-type': INDEX_MEDIA_TYPE, 'content-length': route.bytes.length });
      return void response.end(request.method === 'HEAD' ? undefined : route.bytes);
    case 'text':
      return void response.writeHead(200, { 'content-type': 'text/plain' }).end(route.text);
    case 'paper':
      return send(join(route.bundle.dir, route.name), 'application/json', request, response);
    case 'blob':
      response.setHeader('Docker-Content-Digest', `sha256:${route.sha256}`);
      return send(blobPath(route.bundle, route.sha256), route.mediaType, request, response);
  }
}

async function send(
  file: string,
  mediaType: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found === null) return fail(response, 404, 'NOT_FOUND');
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range === null ? 0 : Number(range[1]);
  const end = Math.min(range?.[2] ? Number(range[2]) : found.size - 1, found.size - 1);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Type', mediaType);
  if (range !== null && (start >= found.size || end < start)) {
    response.setHeader('Content-Range', `bytes */${found.size}`);
    return fail(response, 416, 'RANGE_INVALID');
  }
  if (range !== null) response.setHeader('Content-Range', `bytes ${start}-${end}/${found.size}`);
  response.writeHead(range === null ? 200 : 206, { 'content-length': end - start + 1 });
  if (request.method === 'HEAD' || found.size === 0) return void response.end();
  await pipeline(createReadStream(file, { start, end, highWaterMark: 1 << 20 }), response).catch(() => {
    // A client that goes away in between is no failure of the server.
    response.destroy();
  });
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code }] }));
}

function isAllowed(header: string | undefined, { username, password }: Credentials): boolean {
  const expected = Buffer.from(`Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
  const given = Buffer.from(header ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
