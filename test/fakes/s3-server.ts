import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeS3 {
  endpoint: string;
  /** By `bucket/key`. */
  objects: Map<string, Buffer>;
  /** Uploads that were begun and neither completed nor aborted. */
  open: Map<string, Map<number, Buffer>>;
  /** Method and path of every request whose signature was right. */
  calls: string[];
  /** Answers a request in place of the server; undefined leaves it to that. */
  onRequest: (method: string, path: string) => { status: number; body: string } | undefined;
  close: () => Promise<void>;
}

const REGION = 'eu-test-1';
const ID = 'AKIDFAKE';
const SECRET = 'fake+secret/key';
export const FAKE_KEYS = { accessKeyId: ID, secretAccessKey: SECRET };
export const FAKE_REGION = REGION;
const PAGE = 2;

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex');
const mac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();

/** Code of what is wrong with a request's signature, from what came over the wire; null where it is right. */
function wrongSignature(request: IncomingMessage, body: Buffer): string | null {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  if (match === null) return 'AccessDenied';
  const [, id, day = '', region = '', names = '', signature] = match;
  if (id !== ID) return 'InvalidAccessKeyId';
  if (region !== REGION) return 'AuthorizationHeaderMalformed';
  const payload = String(request.headers['x-amz-content-sha256']);
  if (payload !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const at = String(request.headers['x-amz-date']);
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const parts = query === '' ? [] : query.split('&').map((part) => (part.includes('=') ? part : `${part}=`));
  const signedNames = names.split(';');
  if (!signedNames.includes('host') || !signedNames.includes('x-amz-date')) return 'AccessDenied';
  const headers = signedNames.map((name) => `${name}:${String(request.headers[name]).trim()}\n`).join('');
  const canonical = `${request.method}\n${path}\n${parts.sort().join('&')}\n${headers}\n${names}\n${payload}`;
  const toSign = `AWS4-HMAC-SHA256\n${at}\n${day}/${region}/s3/aws4_request\n${sha256(canonical)}`;
  const key = mac(mac(mac(mac(`AWS4${SECRET}`, day), region), 's3'), 'aws4_request');
  return mac(key, toSign).toString('hex') === signature ? null : 'SignatureDoesNotMatch';
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const xmlEscaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** A server of the S3 API, addressed by path, that refuses what is not signed rightly. */
export async function startFakeS3(buckets: readonly string[]): Promise<FakeS3> {
  const objects = new Map<string, Buffer>();
  const open = new Map<string, Map<number, Buffer>>();
  const calls: string[] = [];
  const fake: Pick<FakeS3, 'onRequest'> = { onRequest: () => undefined };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const say = (status: number, text = '', headers: Record<string, string> = {}) => {
      response.writeHead(status, headers);
      response.end(request.method === 'HEAD' ? undefined : text);
    };
    const deny = (status: number, code: string) =>
      say(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no &amp; no</Message></Error>`);
    const wrong = wrongSignature(request, body);
    if (wrong !== null) return deny(403, wrong);
    const url = new URL(request.url ?? '', 'http://fake');
    const method = request.method ?? '';
    calls.push(`${method} ${request.url}`);
    const other = fake.onRequest(method, url.pathname);
    if (other !== undefined) return say(other.status, other.body);
    const [, bucket = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    if (!buckets.includes(bucket)) return deny(404, 'NoSuchBucket');
    const key = rest.join('/');
    const id = `${bucket}/${key}`;
    const query = url.searchParams;
    const uploadId = query.get('uploadId');
    if (query.has('list-type')) {
      const prefix = `${bucket}/${query.get('prefix') ?? ''}`;
      const all = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
      const from = Number(query.get('continuation-token') ?? 0);
      const page = all.slice(from, from + PAGE);
      const more = from + PAGE < all.length;
      const entries = page.map(
        (name) =>
          `<Contents><Key>${xmlEscaped(name.slice(bucket.length + 1))}</Key><Size>${objects.get(name)?.length}</Size></Contents>`,
      );
      const token = more ? `<NextContinuationToken>${from + PAGE}</NextContinuationToken>` : '';
      return say(
        200,
        `<ListBucketResult><IsTruncated>${more}</IsTruncated>${token}${entries.join('')}</ListBucketResult>`,
      );
    }
    if (method === 'POST' && query.has('uploads')) {
      const upload = `upload&${open.size + 1}`;
      open.set(upload, new Map());
      return say(
        200,
        `<InitiateMultipartUploadResult><UploadId>${xmlEscaped(upload)}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (uploadId !== null) {
      const parts = open.get(uploadId);
      if (parts === undefined) return deny(404, 'NoSuchUpload');
      if (method === 'PUT') {
        parts.set(Number(query.get('partNumber')), body);
        return say(200, '', { etag: `"${sha256(body).slice(0, 32)}"` });
      }
      open.delete(uploadId);
      if (method === 'DELETE') return say(204);
      const tags = [...body.toString().matchAll(/<ETag>"(\w+)"<\/ETag>/g)].map(([, tag]) => tag);
      const content = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
      if (content.some((part, index) => sha256(part).slice(0, 32) !== tags[index]))
        return deny(400, 'InvalidPart');
      objects.set(id, Buffer.concat(content));
      return say(200, '<CompleteMultipartUploadResult/>');
    }
    const object = objects.get(id);
    if (method === 'PUT') {
      objects.set(id, body);
      return say(200);
    }
    if (method === 'DELETE') {
      objects.delete(id);
      return say(204);
    }
    if (object === undefined) return deny(404, 'NoSuchKey');
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const content = first === undefined ? object : object.subarray(Number(first), Number(last) + 1);
    const status = first === undefined ? 200 : 206;
    response.writeHead(status, { 'content-length': String(content.length), connection: 'close' });
    response.end(method === 'HEAD' ? undefined : content);
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(fake, {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    open,
    calls,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}
