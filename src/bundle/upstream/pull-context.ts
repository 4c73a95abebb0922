import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { type WebClient, type WebSettings, webClient } from '../../web/client.js';
import { download, expectContent } from '../../web/download.js';
import { type RetrySettings, retrying } from '../../web/retry.js';
import type { OnBundleEvent } from '../events.js';
import type { Architecture } from '../lock.js';
import { caFilesOf, type Mirrors, mirroredFile } from '../mirrors.js';
import { type Credentials, type Registry, smallBody } from '../registry/client.js';
import type { Versions } from './release.js';

export interface PullOptions {
  /** `v1.36.3`, or `v1.36` for its newest patch release. */
  kubernetesVersion: string;
  architecture: Architecture;
  /** Further ones: the bundle is for them too. */
  others?: readonly Architecture[];
  /** The bundle directory; by the exact version. */
  outDir: (kubernetesVersion: string) => string;
  /** Downloads are kept here, by digest; broken off ones go on from there. */
  cacheDir: string;
  mirrors: Mirrors;
  /** Logins by registry. */
  saved?: ReadonlyMap<string, Credentials>;
  web?: Omit<WebSettings, 'caFiles'>;
  retry?: RetrySettings;
  versions?: Versions;
  /** kubeadm's imageRepository; default registry.k8s.io. */
  imageRepository?: string | undefined;
  /** References in place of those that go with the version, by the image's name. */
  references?: Readonly<Record<string, string>>;
  /** `host`: only digests of images are taken, for hosts that pull them by themselves. */
  imagesBy?: 'host';
  /** Refuse what is published without a signature though it should have one; else a signature counts where it is there. */
  requireSignatures?: boolean;
  /** Certificates (PEM) of the authorities whose signers count; default Sigstore's. */
  signatureAuthorities?: readonly string[];
  /** Downloads at once; default 4. */
  parallel?: number;
  onEvent?: OnBundleEvent;
  signal?: AbortSignal | undefined;
}

/** What a pull of one architecture works with. */
export interface Pull extends PullOptions {
  client: WebClient;
  retry: RetrySettings;
  store: string;
  limit: ReturnType<typeof pLimit>;
  registries: Map<string, Registry>;
  /** Blobs on their way, by digest: several images have some in common. */
  underWay: Map<string, Promise<void>>;
}

/** Does work with a client, downloads in the cache, and as many of them at once as asked for. */
export async function withPull<T>(options: PullOptions, work: (pull: Pull) => Promise<T>): Promise<T> {
  const client = webClient({ ...options.web, caFiles: caFilesOf(options.mirrors) });
  const store = join(options.cacheDir, 'downloads', 'sha256');
  await mkdir(store, { recursive: true });
  try {
    return await work({
      ...options,
      client,
      retry: { ...options.retry, signal: options.signal },
      store,
      limit: pLimit(options.parallel ?? 4),
      registries: new Map(),
      underWay: new Map(),
    });
  } finally {
    await client.close();
  }
}

/** A text of an official address, from wherever it is mirrored. */
export async function smallFile(pull: Pull, official: string): Promise<string> {
  return retrying(pull.retry, async () => textOf(await ask(pull, official, {}), official));
}

/** The same, null where it is not there. */
export async function smallFileIfThere(pull: Pull, official: string): Promise<string | null> {
  return retrying(pull.retry, async () => {
    const answer = await ask(pull, official, {});
    if (answer.status !== 404) return textOf(answer, official);
    await answer.body.dump();
    return null;
  });
}

async function textOf(answer: Awaited<ReturnType<typeof ask>>, official: string): Promise<string> {
  await expectContent(answer, official);
  return (await smallBody(answer, official)).toString('utf8');
}

/** A file of an official address in the store, by its digest; `there` where it was before. */
export async function storedFile(
  pull: Pull,
  official: string,
  sha256: string,
): Promise<{ file: string; there: boolean }> {
  const file = join(pull.store, sha256);
  const there = await isThere(file);
  if (!there)
    await download({
      ...pull.retry,
      sha256,
      size: null,
      file,
      name: official,
      ask: (headers) => ask(pull, official, headers),
    });
  return { file, there };
}

/** Asks for a file of an official address, from wherever it is mirrored. */
export function ask(
  { mirrors, client, signal }: Pull,
  official: string,
  headers: Readonly<Record<string, string>>,
) {
  const { url, credentials } = mirroredFile(mirrors, official);
  const login = credentials === null ? '' : `${credentials.username}:${credentials.password}`;
  const authorization =
    login === '' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  return client.request(url, { headers: { ...headers, ...authorization }, signal });
}

export async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null;
}
