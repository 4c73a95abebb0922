import { readFileSync, statSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';

/** A request that takes longer counts as failed. */
const ANSWER_MS = 5_000;
/** How often a request that was not begun is sent again. */
const AGAIN = 5;

export interface Answer {
  status: number;
  body: string;
  /** Seconds after which the server wants to be asked again. */
  retryAfter?: number;
}

export interface ApiClient {
  /** Rejects where no answer came. */
  ask: (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<Answer>;
  close: () => void;
}

export interface Identity {
  server: string;
  ca: Buffer;
  cert: Buffer;
  key: Buffer;
}

/** Whom a kubeconfig trusts, and who it is. */
export function identityIn(kubeconfig: string): Identity {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64');
  const cluster = clusters[0]?.cluster;
  const user = users[0]?.user;
  return {
    server: cluster?.server ?? '',
    ca: decoded(cluster?.['certificate-authority-data']),
    cert: decoded(user?.['client-certificate-data']),
    key: decoded(user?.['client-key-data']),
  };
}

/**
 * A client of the API as those made with client-go are: one connection of HTTP/2; what a server says that it has not
 * begun is sent again, as is what it answers with 429 or 5xx and Retry-After (rest/with_retry.go), nothing else. A kubeconfig that changes is read again, as kubectl does with every command.
 */
export function apiClient(kubeconfig: string): ApiClient {
  let readAt = 0;
  let identity: Identity | undefined;
  let current: ClientHttp2Session | undefined;
  const session = (): ClientHttp2Session => {
    const changed = statSync(kubeconfig).mtimeMs;
    if (identity === undefined || changed !== readAt) {
      identity = identityIn(kubeconfig);
      readAt = changed;
      current?.close();
      current = undefined;
    }
    if (current !== undefined && !current.closed && !current.destroyed) return current;
    const opened = connect(identity.server, { ...identity, servername: 'kubernetes' } as never);
    opened.setMaxListeners(0);
    current = opened;
    const gone = () => {
      if (current === opened) current = undefined;
    };
    // What was begun goes on; what comes next goes elsewhere.
    opened.on('goaway', gone).on('error', gone).on('close', gone);
    return opened;
  };
  const once: ApiClient['ask'] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const stream = session().request({
        ':path': path,
        ':method': method,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      });
      let status = 0;
      let after: string | undefined;
      const chunks: Buffer[] = [];
      stream.setTimeout(ANSWER_MS, () => stream.destroy(new Error('no answer in time')));
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
        after = headers['retry-after'];
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject).on('end', () =>
        resolve({
          status,
          body: Buffer.concat(chunks).toString(),
          ...(after === undefined ? {} : { retryAfter: Number(after) }),
        }),
      );
      stream.on('close', () => reject(new Error('closed without an answer')));
      stream.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const ask = async (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: unknown,
    tries: number,
  ): Promise<Answer> => {
    try {
      const answer = await once(method, path, body);
      const again = answer.status === 429 || answer.status >= 500;
      if (!again || answer.retryAfter === undefined || tries === 0) return answer;
      await delay(answer.retryAfter * 1000);
      return ask(method, path, body, tries - 1);
    } catch (error) {
      const begun = !(error instanceof Error && /REFUSED_STREAM|GOAWAY/.test(error.message));
      if (begun || tries === 0) throw error;
      current = undefined;
      return ask(method, path, body, tries - 1);
    }
  };
  return {
    ask: (method, path, body) => ask(method, path, body, AGAIN),
    close: () => current?.close(),
  };
}
