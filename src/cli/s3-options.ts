import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { writeNew } from '../backup/write-new.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { type S3Client, s3Client } from '../s3/client.js';
import { environmentCredentials, fileCredentials } from '../s3/credentials.js';
import { isS3, parseS3Location } from '../s3/location.js';
import type { S3Credentials } from '../s3/sign.js';
import { webClient } from '../web/client.js';
import type { CliIO } from './command.js';

/** Options of commands that keep or fetch snapshots in a bucket. Keys come from the environment or a file, never from here. */
export const S3_OPTIONS = {
  s3Endpoint: {
    flags: '--s3-endpoint <url>',
    description: 'for s3://: the server (default AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else that of AWS)',
    kind: 'string',
  },
  s3Region: {
    flags: '--s3-region <name>',
    description: 'for s3://: the region (default AWS_REGION, AWS_DEFAULT_REGION, else us-east-1)',
    kind: 'string',
  },
  s3Addressing: {
    flags: '--s3-addressing <form>',
    description:
      'for s3://: whether the bucket is in the path or in the host’s name (default path, virtual at AWS)',
    kind: 'string',
    choices: ['path', 'virtual'],
  },
  s3Credentials: {
    flags: '--s3-credentials <file>',
    description:
      'for s3://: keys in the form of ~/.aws/credentials, which is the default; the environment goes first without it',
    kind: 'string',
  },
  s3Ca: {
    flags: '--s3-ca <file>',
    description:
      'for s3://: CA of the server’s certificate, PEM (default AWS_CA_BUNDLE, and those of Node.js)',
    kind: 'string',
  },
} as const;

export interface S3Values {
  s3Endpoint: string | undefined;
  s3Region: string | undefined;
  s3Addressing: string | undefined;
  s3Credentials: string | undefined;
  s3Ca: string | undefined;
}

/** A part of 16 MiB may take so long on a slow line, milliseconds. */
const IDLE_MS = 300_000;

/** Works with the bucket of an address. @throws USAGE, CONFIG; what the server refuses */
export async function withS3<T>(
  address: string,
  values: S3Values,
  io: CliIO,
  work: (client: S3Client) => Promise<T>,
): Promise<T> {
  const { env } = io;
  const { bucket } = parseS3Location(address);
  const region = values.s3Region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1';
  const own = values.s3Endpoint ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
  const endpoint = endpointOf(own ?? `https://s3.${region}.amazonaws.com`, io);
  // A certificate for *.s3.REGION.amazonaws.com is for no name with further dots.
  const virtual = own === undefined && !bucket.includes('.');
  const ca = values.s3Ca === undefined ? env.AWS_CA_BUNDLE : resolve(io.cwd, values.s3Ca);
  const addressing = values.s3Addressing ?? (virtual ? 'virtual' : 'path');
  const web = webClient({
    httpProxy: env.http_proxy ?? env.HTTP_PROXY,
    httpsProxy: env.https_proxy ?? env.HTTPS_PROXY,
    noProxy: env.no_proxy ?? env.NO_PROXY,
    idleMs: IDLE_MS,
    ...(ca === undefined
      ? {}
      : { caFiles: new Map(originsOf(endpoint, bucket).map((origin) => [origin, ca])) }),
  });
  try {
    const credentials = await credentialsOf(values, io);
    const client = s3Client(
      bucket,
      {
        endpoint,
        region,
        addressing: addressing === 'virtual' ? 'virtual' : 'path',
        credentials,
        retry: { signal: io.abort },
      },
      web,
    );
    return await work(client);
  } finally {
    await web.close();
  }
}

function originsOf(endpoint: string, bucket: string): string[] {
  const url = new URL(endpoint);
  const virtual = new URL(endpoint);
  virtual.hostname = `${bucket}.${url.hostname}`;
  return [url.origin, virtual.origin];
}

function endpointOf(text: string, io: CliIO): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new KeelsonError('USAGE', `--s3-endpoint: "${text}" is no address`, {
      hint: 'write https://s3.example:9000',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new KeelsonError('USAGE', '--s3-endpoint takes no keys', {
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --s3-credentials',
    });
  }
  if (url.protocol === 'http:')
    io.stderr.write(
      `keelson: WARNING: ${url.origin} is reached without TLS: whoever is on the way can read along\n`,
    );
  return url.href;
}

async function credentialsOf(values: S3Values, io: CliIO): Promise<S3Credentials> {
  const { env } = io;
  const found = values.s3Credentials === undefined ? environmentCredentials(env) : null;
  if (found !== null) return found;
  const file =
    values.s3Credentials === undefined
      ? (env.AWS_SHARED_CREDENTIALS_FILE ?? join(io.home, '.aws/credentials'))
      : resolve(io.cwd, values.s3Credentials);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new KeelsonError('CONFIG', `no keys for s3://: ${file} can't be read`, {
      cause,
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --s3-credentials',
    });
  });
  return fileCredentials(text, env.AWS_PROFILE ?? 'default', file);
}

/**
 * Works with a snapshot that a command names: a file, or an object of a bucket, which lies in a directory that only
 * this user can read for as long as the work takes.
 */
export async function withSnapshotFile<T>(
  name: string,
  values: S3Values,
  io: CliIO,
  work: (file: string) => Promise<T>,
): Promise<T> {
  if (!isS3(name)) return work(resolve(io.cwd, name));
  const { key } = parseS3Location(name);
  if (basename(key) === '')
    throw new KeelsonError('USAGE', `${name} names no object`, { hint: 'name one snapshot in the bucket' });
  const directory = await mkdtemp(join(tmpdir(), 'keelson-snapshot-'));
  try {
    const file = join(directory, basename(key));
    await withS3(name, values, io, async (client) => writeNew(file, client.get(key)));
    return await work(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
