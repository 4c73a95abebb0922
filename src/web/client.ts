import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { KeelsonError } from '../errors/keelson-error.js';

export interface WebSettings {
  /** As in the environment: `http://proxy:3128`; '' or undefined for none. */
  httpProxy?: string | undefined;
  httpsProxy?: string | undefined;
  /** Hosts that are reached directly, separated by commas. */
  noProxy?: string | undefined;
  /** Files with further CA certificates, by the origin (`https://mirror.example:5000`) that they are for. */
  caFiles?: ReadonlyMap<string, string>;
  /** Longest silence of a server, in milliseconds; default 30 s. */
  idleMs?: number;
}

export interface WebRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Readonly<Record<string, string>>;
  body?: Buffer | Readable;
  signal?: AbortSignal | undefined;
}

export interface WebResponse {
  status: number;
  /** Names in lower case; of repeated headers the first. */
  headers: Readonly<Record<string, string>>;
  /** Where the answer came from, after redirects. */
  url: string;
  body: Dispatcher.ResponseData['body'];
}

export interface WebClient {
  /**
   * One request, redirects of GET and HEAD followed. Credentials go to the first origin only.
   * @throws KeelsonError CONNECTION (retryable) when there is no answer, or not in time; ABORTED
   */
  request: (url: string, request?: WebRequest) => Promise<WebResponse>;
  close: () => Promise<void>;
}

const IDLE_MS = 30_000;
const MOST_REDIRECTS = 5;
/**
 * Nobody who reads an answer slowly makes undici wait: it ends the process (an assertion in its parser) where a server
 * closes a connection while it waits. What is not read yet is in memory.
 */
const HELD_BYTES = Number.MAX_SAFE_INTEGER;

/** HTTP through proxies and with private CAs. Certificates are always checked. */
export function webClient(settings: WebSettings = {}): WebClient {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  const dispatcherOf = (origin: string): Promise<Dispatcher> => {
    const caFile = settings.caFiles?.get(origin) ?? '';
    const known = dispatchers.get(caFile) ?? newDispatcher(caFile, settings);
    dispatchers.set(caFile, known);
    return known;
  };
  const once = async (url: URL, options: WebRequest): Promise<WebResponse> => {
    const dispatcher = await dispatcherOf(url.origin);
    const { signal } = options;
    try {
      const answer = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: options.method ?? 'GET',
        headers: { 'user-agent': 'keelson', ...options.headers },
        body: options.body ?? null,
        ...(signal === undefined ? {} : { signal }),
        highWaterMark: HELD_BYTES,
      });
      const headers = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat()[0] ?? '']);
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(headers) as Record<string, string>,
        url: url.href,
        body: answer.body,
      };
    } catch (cause) {
      throw failure(url, cause, signal);
    }
  };
  return {
    request: async (address, options = {}) => {
      let url = new URL(address);
      let { headers = {} } = options;
      for (let redirects = 0; ; redirects += 1) {
        const answer = await once(url, { ...options, headers });
        const { location } = answer.headers;
        const followed =
          options.method === undefined || options.method === 'GET' || options.method === 'HEAD';
        if (!followed || ![301, 302, 303, 307, 308].includes(answer.status) || location === undefined)
          return answer;
        await answer.body.dump();
        const next = new URL(location, url);
        if (redirects === MOST_REDIRECTS || (url.protocol === 'https:' && next.protocol !== 'https:'))
          throw new KeelsonError(
            'CONNECTION',
            `${address}: is redirected to ${next.origin}, which is not followed`,
            {
              hint: 'name the address itself in the mirrors file',
            },
          );
        if (next.origin !== url.origin) {
          const { authorization: _, ...rest } = headers;
          headers = rest;
        }
        url = next;
      }
    },
    close: async () => {
      for (const dispatcher of dispatchers.values()) await (await dispatcher).destroy();
    },
  };
}

async function newDispatcher(caFile: string, settings: WebSettings): Promise<Dispatcher> {
  // Loaded late: most commands talk to nobody but hosts.
  const { EnvHttpProxyAgent } = await import('undici');
  const own =
    caFile === ''
      ? null
      : await readFile(caFile, 'utf8').catch((cause: unknown) => {
          throw new KeelsonError('CONFIG', `${caFile}: can't be read`, {
            cause,
            hint: 'name a CA certificate in PEM',
          });
        });
  const tls = own === null ? {} : { ca: [...rootCertificates, own] };
  const idle = settings.idleMs ?? IDLE_MS;
  return new EnvHttpProxyAgent({
    // An empty text keeps it from looking into this process's environment.
    httpProxy: settings.httpProxy ?? '',
    httpsProxy: settings.httpsProxy ?? '',
    noProxy: settings.noProxy ?? '',
    connect: { ...tls, timeout: idle },
    requestTls: tls,
    proxyTls: tls,
    headersTimeout: idle,
    bodyTimeout: idle,
  });
}

const CERTIFICATE_ERRORS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an unknown CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an unknown CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an unknown CA',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** What went wrong, in words; certificates are not worth another try. */
export function failure(url: URL, cause: unknown, signal?: AbortSignal): KeelsonError {
  if (cause instanceof KeelsonError) return cause;
  if (signal?.aborted === true)
    return signal.reason instanceof KeelsonError
      ? signal.reason
      : new KeelsonError('ABORTED', 'interrupted', { cause });
  const error = cause as { code?: string; message?: string; cause?: { code?: string } };
  const code = error.code ?? error.cause?.code ?? '';
  const certificate = CERTIFICATE_ERRORS[code];
  if (certificate !== undefined)
    return new KeelsonError('CONNECTION', `${url.origin}: ${certificate}`, {
      cause,
      hint: 'renew the certificate, or name its CA as ca in the mirrors file',
    });
  return new KeelsonError('CONNECTION', `${url.origin}: ${error.message ?? String(cause)}`, {
    cause,
    retryable: true,
    hint: 'check network and proxies (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), or name a mirror with --mirrors',
  });
}
