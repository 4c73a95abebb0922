import { KeelsonError } from '../errors/keelson-error.js';
import type { WebClient, WebResponse } from '../web/client.js';
import { isPassing, type RetrySettings, retrying, TryLater } from '../web/retry.js';
import { element, type ListedObject, listing, refusal } from './answers.js';
import { encodePart, type S3Credentials, sha256Hex, signed } from './sign.js';

export interface S3Settings {
  /** `https://s3.eu-central-1.amazonaws.com`, `https://minio.example:9000`. */
  endpoint: string;
  region: string;
  /** `path`: the bucket is in the path; `virtual`: in the host's name. */
  addressing: 'path' | 'virtual';
  credentials: S3Credentials;
  retry?: RetrySettings;
  now?: () => number;
}

export interface S3Client {
  /** One object of known content. */
  put: (key: string, body: Buffer) => Promise<void>;
  /** Begins an object that comes in parts; it is there once it is completed, and not before. */
  begin: (key: string) => Promise<S3Upload>;
  /** Size of an object; null where there is none. */
  size: (key: string) => Promise<number | null>;
  list: (prefix: string) => Promise<ListedObject[]>;
  /** Content of an object, piece by piece. @throws USAGE where there is none */
  get: (key: string) => AsyncIterable<Buffer>;
  /** No error where there is none. */
  remove: (key: string) => Promise<void>;
}

export interface S3Upload {
  /** Parts in order, each but the last of 5 MiB at least. */
  part: (body: Buffer) => Promise<void>;
  complete: () => Promise<void>;
  /** Takes back what has come; never rejects. */
  abort: () => Promise<void>;
}

/** An object is read in pieces that fit into memory: what a server sends is held for whoever reads it slowly. */
const PIECE_BYTES = 8 * 1024 * 1024;

interface Call {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  key: string;
  query?: Readonly<Record<string, string>>;
  body?: Buffer;
  headers?: Readonly<Record<string, string>>;
  /** Further statuses that are an answer. */
  accept?: readonly number[];
}

/** A small client of the S3 API for one bucket: what snapshots take. Every request is signed, with its body. */
export function s3Client(bucket: string, settings: S3Settings, web: WebClient): S3Client {
  const { endpoint, region, addressing, credentials, retry = {}, now = Date.now } = settings;
  const urlOf = (key: string, query: Readonly<Record<string, string>>): URL => {
    const base = new URL(endpoint);
    if (addressing === 'virtual') base.hostname = `${bucket}.${base.hostname}`;
    const folder = base.pathname.replace(/\/$/, '') + (addressing === 'path' ? `/${bucket}` : '');
    base.pathname = `${folder}/${key.split('/').map(encodePart).join('/')}`;
    base.search = Object.entries(query)
      .map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`)
      .join('&');
    return base;
  };
  const call = ({
    method,
    key,
    query = {},
    body,
    headers: own = {},
    accept = [],
  }: Call): Promise<WebResponse> =>
    retrying(retry, async () => {
      const url = urlOf(key, query);
      const headers = signed({ method, url, payload: sha256Hex(body ?? ''), headers: own }, credentials, {
        region,
        at: now(),
      });
      const length = body === undefined ? {} : { 'content-length': String(body.length) };
      const answer = await web.request(url.href, {
        method,
        headers: { ...headers, ...length },
        ...(body === undefined ? {} : { body }),
        ...(retry.signal === undefined ? {} : { signal: retry.signal }),
      });
      if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) return answer;
      const what = `${method} s3://${bucket}/${key}`;
      const error = refusal(what, answer.status, await answer.body.text());
      throw isPassing(answer.status) ? new TryLater(error, answer.headers['retry-after']) : error;
    });
  const text = async (request: Call): Promise<string> => (await call(request)).body.text();
  const ended = async (request: Call): Promise<WebResponse> => {
    const answer = await call(request);
    await answer.body.dump();
    return answer;
  };

  return {
    put: async (key, body) => void (await ended({ method: 'PUT', key, body })),
    begin: async (key) => {
      const began = await text({ method: 'POST', key, query: { uploads: '' } });
      const uploadId = element(began, 'UploadId');
      if (uploadId === null) throw strange(endpoint, 'no upload was begun');
      const tags: string[] = [];
      return {
        part: async (body) => {
          const query = { partNumber: String(tags.length + 1), uploadId };
          const { headers } = await ended({ method: 'PUT', key, query, body });
          tags.push(headers.etag ?? '');
        },
        complete: async () => {
          const parts = tags
            .map(
              (tag, index) =>
                `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(tag)}</ETag></Part>`,
            )
            .join('');
          const body = Buffer.from(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`);
          const said = await text({ method: 'POST', key, query: { uploadId }, body });
          // An answer that began well may still end with an error.
          if (/<Error>/.test(said)) throw refusal(`completing s3://${bucket}/${key}`, 200, said);
        },
        abort: async () => {
          await ended({ method: 'DELETE', key, query: { uploadId }, accept: [404] }).catch(() => undefined);
        },
      };
    },
    size: async (key) => {
      const { status, headers } = await ended({ method: 'HEAD', key, accept: [404] });
      return status === 404 ? null : Number(headers['content-length']);
    },
    list: async (prefix) => {
      const all: ListedObject[] = [];
      let next: string | null = null;
      do {
        const page: { objects: ListedObject[]; next: string | null } = listing(
          await text({
            method: 'GET',
            key: '',
            query: {
              'list-type': '2',
              prefix,
              ...(next === null ? {} : { 'continuation-token': next }),
            },
          }),
        );
        all.push(...page.objects);
        next = page.next;
      } while (next !== null);
      return all;
    },
    get: async function* (key) {
      const whole = await ended({ method: 'HEAD', key, accept: [404] });
      if (whole.status === 404) throw refusal(`s3://${bucket}/${key}`, 404, '<Code>NoSuchKey</Code>');
      const { etag } = whole.headers;
      const total = Number(whole.headers['content-length']);
      for (let from = 0; from < total; from += PIECE_BYTES) {
        const range = `bytes=${from}-${Math.min(from + PIECE_BYTES, total) - 1}`;
        const headers = { range, ...(etag === undefined ? {} : { 'if-match': etag }) };
        const { body } = await call({ method: 'GET', key, headers });
        yield Buffer.from(await body.arrayBuffer());
      }
    },
    remove: async (key) => void (await ended({ method: 'DELETE', key, accept: [404] })),
  };
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const strange = (endpoint: string, what: string): KeelsonError =>
  new KeelsonError('CONNECTION', `${endpoint} answers, and ${what}`, { hint: 'is it an endpoint of S3?' });
