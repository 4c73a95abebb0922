import { createHash } from 'node:crypto';
import { z } from 'zod';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { WebClient, WebRequest, WebResponse } from '../../web/client.js';
import { download, expectContent } from '../../web/download.js';
import { type RetrySettings, retrying } from '../../web/retry.js';
import { INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE } from '../image.js';
import type { Architecture } from '../lock.js';
import { type Challenge, parseChallenge } from './challenge.js';

export interface Credentials {
  username: string;
  password: string;
}

/** Where the images of a registry are asked for. */
export interface RegistryEndpoint {
  /** `https://host[:port][/prefix]`; the prefix goes before repositories. */
  url: string;
  credentials: Credentials | null;
}

export interface Manifest {
  bytes: Buffer;
  mediaType: string;
  /** sha256 in hex. */
  sha256: string;
}

export interface Registry {
  /**
   * A manifest by tag or digest; of several architectures the one that is wanted.
   * @throws KeelsonError BUNDLE (not there, another digest, no such architecture), AUTHENTICATION, CONNECTION
   */
  manifest: (repository: string, version: string, architecture: Architecture) => Promise<Manifest>;
  /** A manifest as it is, an index too. */
  document: (repository: string, version: string) => Promise<Manifest>;
  /** A blob into a file, checked. */
  blob: (repository: string, blob: BlobRequest) => Promise<void>;
  /** A request below `/v2/<prefix>/<repository>/`, with whatever authorisation the registry wants. */
  request: (repository: string, path: string, request?: WebRequest, push?: boolean) => Promise<WebResponse>;
}

interface BlobRequest {
  sha256: string;
  size: number;
  file: string;
  onBytes?: ((bytes: number) => void) | undefined;
}

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const ACCEPT = [INDEX_MEDIA_TYPE, DOCKER_LIST, MANIFEST_MEDIA_TYPE, DOCKER_MANIFEST].join(', ');
/** Most bytes of a manifest, as registries limit it. */
const MANIFEST_BYTES = 4 << 20;

const indexSchema = z.object({
  manifests: z.array(
    z.object({
      digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
      platform: z.object({ architecture: z.string(), os: z.string() }).optional(),
    }),
  ),
});
const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** A registry by the OCI distribution API. */
export function registryClient(
  web: WebClient,
  endpoint: RegistryEndpoint,
  retry: RetrySettings = {},
): Registry {
  const base = new URL(endpoint.url);
  const prefix = base.pathname.replace(/^\/+|\/+$/g, '');
  const authorizations = new Map<string, string>();

  const request: Registry['request'] = async (repository, path, options = {}, push = false) => {
    const full = prefix === '' ? repository : `${prefix}/${repository}`;
    const url = path.startsWith('http') ? path : `${base.origin}/v2/${full}/${path}`;
    const scope = `repository:${full}:${push ? 'pull,push' : 'pull'}`;
    const send = (authorization: string | undefined) => {
      const headers = authorization === undefined ? options.headers : { ...options.headers, authorization };
      return web.request(url, { ...options, ...(headers === undefined ? {} : { headers }) });
    };
    const first = await send(authorizations.get(scope));
    if (first.status !== 401 || new URL(first.url).origin !== base.origin) return first;
    const challenge = parseChallenge(first.headers['www-authenticate']);
    // A body that is read once can't be sent again; whoever sends one has asked without before.
    if (challenge === null || (options.body !== undefined && !Buffer.isBuffer(options.body))) return first;
    await first.body.dump();
    const authorization = await authorize(web, challenge, endpoint, scope, options.signal ?? retry.signal);
    authorizations.set(scope, authorization);
    return send(authorization);
  };

  const document: Registry['document'] = (repository, version) => {
    const name = `${base.host}/${prefix === '' ? '' : `${prefix}/`}${repository}:${version}`;
    return retrying(retry, async () => {
      const answer = await request(repository, `manifests/${version}`, {
        headers: { accept: ACCEPT },
        signal: retry.signal,
      });
      await expectContent(answer, name);
      const bytes = await smallBody(answer, name);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const expected = version.startsWith('sha256:') ? version : answer.headers['docker-content-digest'];
      if (expected?.startsWith('sha256:') === true && expected !== `sha256:${sha256}`)
        throw new KeelsonError('BUNDLE', `${name}: has digest sha256:${sha256}, expected ${expected}`, {
          hint: 'the registry gives something else than it should: name another with --mirrors',
        });
      return { bytes, sha256, mediaType: (answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '' };
    });
  };

  return {
    request,
    document,
    manifest: async (repository, version, architecture) => {
      const found = await document(repository, version);
      if (found.mediaType !== INDEX_MEDIA_TYPE && found.mediaType !== DOCKER_LIST) return found;
      const parsed = indexSchema.safeParse(JSON.parse(found.bytes.toString('utf8')));
      const entry = parsed.data?.manifests.find(
        ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
      );
      if (entry === undefined)
        throw new KeelsonError(
          'BUNDLE',
          `${repository}:${version}: there is no image for linux/${architecture}`,
          {
            hint: 'choose another version or architecture',
          },
        );
      return document(repository, entry.digest);
    },
    blob: (repository, { sha256, size, file, onBytes }) =>
      download({
        ...retry,
        sha256,
        size,
        file,
        onBytes,
        name: `${base.host}/${repository}@sha256:${sha256.slice(0, 16)}`,
        ask: (headers) => request(repository, `blobs/sha256:${sha256}`, { headers, signal: retry.signal }),
      }),
  };
}

/** What to send as Authorization. Tokens come from the realm that the registry names, over TLS or from itself. */
async function authorize(
  web: WebClient,
  challenge: Challenge,
  { url, credentials }: RegistryEndpoint,
  scope: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { origin } = new URL(url);
  const basic =
    credentials === null
      ? null
      : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
  const refuse = (problem: string) =>
    new KeelsonError('AUTHENTICATION', `${origin}: ${problem}`, {
      hint: 'name username and passwordFile in the mirrors file, or log in with docker, podman or skopeo',
    });
  if (challenge.scheme === 'basic') {
    if (basic === null) throw refuse('wants a user name and a password');
    return basic;
  }
  const realm = new URL(challenge.realm);
  if (realm.protocol !== 'https:' && realm.origin !== origin)
    throw refuse(`wants credentials to be sent to ${realm.origin} without encryption`);
  if (challenge.service !== null) realm.searchParams.set('service', challenge.service);
  realm.searchParams.set('scope', challenge.scope ?? scope);
  const answer = await web.request(realm.href, {
    headers: basic === null ? {} : { authorization: basic },
    signal,
  });
  await expectContent(answer, `token of ${origin}`);
  const parsed = tokenSchema.safeParse(
    JSON.parse((await smallBody(answer, `token of ${origin}`)).toString('utf8')),
  );
  const token = parsed.data?.token ?? parsed.data?.access_token;
  if (token === undefined) throw refuse('its token service gives no token');
  return `Bearer ${token}`;
}

/** An answer that is to be kept in memory. */
export async function smallBody(answer: WebResponse, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > MANIFEST_BYTES)
      throw new KeelsonError('BUNDLE', `${name}: has more than ${MANIFEST_BYTES} bytes`);
  }
  return Buffer.concat(chunks);
}
