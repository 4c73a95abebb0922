import type { Dispatcher } from 'undici';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { type Locate, locator, type ObjectRef } from './paths.js';
import { type ClientCredentials, type Endpoint, isLost, tlsAgent } from './tls-agent.js';

/** A Kubernetes object as the API carries it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [key: string]: unknown;
  };
  [key: string]: unknown;
}

export interface ClusterClient {
  /** Raw request; the body is parsed JSON, or text where the answer is not JSON. */
  request: (
    method: Dispatcher.HttpMethod,
    path: string,
    options?: RequestOptions,
  ) => Promise<{ status: number; body: unknown }>;
  /** The object, or null on 404. */
  get: (ref: ObjectRef) => Promise<KubeObject | null>;
  /** Items of a collection path such as `/api/v1/nodes?labelSelector=…`. */
  list: (path: string) => Promise<KubeObject[]>;
  /** Server-side apply as field manager `keelson`, conflicts forced; with `dryRun` only what would become of it. */
  apply: (object: KubeObject, options?: { dryRun?: boolean }) => Promise<KubeObject>;
  /** Strategic merge patch. */
  patch: (ref: ObjectRef, body: unknown) => Promise<KubeObject>;
  /** Deletes; a missing object is no error. */
  remove: (ref: ObjectRef) => Promise<void>;
  close: () => Promise<void>;
}

interface RequestOptions {
  body?: string;
  contentType?: string;
  /** Media type of the answer; default application/json. */
  accept?: string;
  timeoutMs?: number;
}

/** The reference of an object. */
export function refOf(object: KubeObject): ObjectRef {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace,
    name: object.metadata.name,
  };
}

/**
 * A client of the API server at `address:port` as `host` sees it, through the host's SSH connection.
 * @param servername what the server's certificate is checked for; default the Service's name, which each has
 * Errors: CONNECTION (retryable until the host's SSH connection is lost) while nothing answers, API with the server's own message otherwise;
 * 409 is CONFLICT; 429 and 5xx are retryable.
 */
export function clusterClient(
  host: HostReader,
  endpoint: Endpoint,
  credentials: ClientCredentials,
  signal: AbortSignal,
  servername = 'kubernetes',
): ClusterClient {
  const agent = tlsAgent(host, endpoint, credentials, servername);

  const request: ClusterClient['request'] = async (method, path, options = {}) => {
    let response: Dispatcher.ResponseData;
    try {
      response = await agent.request({
        origin: 'https://kubernetes',
        path,
        method,
        ...(options.body === undefined ? {} : { body: options.body }),
        headers: {
          accept: options.accept ?? 'application/json',
          ...(options.body === undefined
            ? {}
            : { 'content-type': options.contentType ?? 'application/json' }),
        },
        signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs ?? 30_000)]),
      });
    } catch (error) {
      if (signal.aborted) throw toKeelsonError(signal.reason);
      if (isLost(error)) throw error;
      const cause = error instanceof Error ? error.message : String(error);
      throw new KeelsonError(
        'CONNECTION',
        `the Kubernetes API at ${endpoint.address}:${endpoint.port} does not answer: ${cause}`,
        {
          host: host.name,
          retryable: true,
          cause: error,
          hint: 'see keelson status; on the host: journalctl -u kubelet, and the logs in /var/log/containers',
        },
      );
    }
    const text = await response.body.text();
    const json = (response.headers['content-type'] ?? '').includes('json');
    const body: unknown = json && text !== '' ? JSON.parse(text) : text;
    if (response.statusCode >= 400) throw apiError(method, path, response.statusCode, body);
    return { status: response.statusCode, body };
  };

  const asObject = (body: unknown): KubeObject => body as KubeObject;
  const locate: Locate = locator(async (path) => (await request('GET', path)).body);
  return {
    request,
    get: async (ref) => {
      try {
        return asObject((await request('GET', await locate(ref))).body);
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    },
    list: async (path) => {
      const { body } = await request('GET', path);
      return (body as { items?: KubeObject[] }).items ?? [];
    },
    apply: async (object, options = {}) => {
      const dryRun = options.dryRun === true ? '&dryRun=All' : '';
      const path = `${await locate(refOf(object))}?fieldManager=keelson&force=true${dryRun}`;
      const { body } = await request('PATCH', path, {
        body: JSON.stringify(object),
        contentType: 'application/apply-patch+yaml',
      });
      return asObject(body);
    },
    patch: async (ref, patch) => {
      const path = `${await locate(ref)}?fieldManager=keelson`;
      const { body } = await request('PATCH', path, {
        body: JSON.stringify(patch),
        contentType: 'application/strategic-merge-patch+json',
      });
      return asObject(body);
    },
    remove: async (ref) => {
      try {
        // Jobs would leave their pods behind.
        await request('DELETE', `${await locate(ref)}?propagationPolicy=Background`);
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
      }
    },
    close: () => agent.destroy(),
  };
}

/** HTTP status of an API error, or undefined. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof KeelsonError)) return undefined;
  const details = error.details as { status?: number } | undefined;
  return details?.status;
}

/** Why the server refused, in its own terms: `DisruptionBudget`, `NamespaceTerminating`. */
export interface ApiCause {
  reason: string;
  message: string;
}

/** The causes that an API error names. */
export function causesOf(error: unknown): ApiCause[] {
  if (!(error instanceof KeelsonError)) return [];
  return (error.details as { causes?: ApiCause[] } | undefined)?.causes ?? [];
}

function causesIn(body: unknown): ApiCause[] {
  if (typeof body !== 'object' || body === null) return [];
  const { details } = body as { details?: { causes?: { reason?: string; message?: string }[] } };
  return (details?.causes ?? []).map(({ reason = '', message = '' }) => ({ reason, message }));
}

/** Names of the checks that fail in what /readyz, /livez or /healthz answers: lines as `[-]informer-sync failed`. */
function failingChecks(body: unknown): string[] {
  if (typeof body !== 'string') return [];
  return [...body.matchAll(/^\[-\](\S+)/gm)].map((match) => match[1] ?? '');
}

const notReady = (failing: readonly string[]): string => `not ready: ${failing.join(', ')}`;

/** What keeps an API server from being ready, in one line: its failing checks, or what went wrong instead. */
export function readinessOf(error: unknown): string {
  const { message, details } = toKeelsonError(error);
  const { failing = [] } = (details ?? {}) as { failing?: string[] };
  return failing.length > 0 ? notReady(failing) : message;
}

/** An answer that is an error, with what the server says of it. */
export function apiError(method: string, path: string, status: number, body: unknown): KeelsonError {
  const failing = failingChecks(body);
  const said =
    typeof body === 'object' && body !== null && 'message' in body
      ? String(body.message)
      : failing.length > 0
        ? notReady(failing)
        : String(body).slice(0, 200);
  const retryable =
    status === 429 || status >= 500 || status === 401 || (status === 403 && said.includes('not yet'));
  return new KeelsonError(status === 409 ? 'CONFLICT' : 'API', `${method} ${path}: ${status} ${said}`, {
    retryable,
    details: { status, causes: causesIn(body), failing },
  });
}
