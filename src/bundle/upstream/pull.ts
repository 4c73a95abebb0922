import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Bundle } from '../bundle.js';
import { hashFile } from '../cache.js';
import { finishDirectory, linkBlobs, lockBytes } from '../directory.js';
import type { OnBundleEvent } from '../events.js';
import { FILE_MODE, FILE_ROLES, FILE_TABLE } from '../file-table.js';
import { blobsOfManifest } from '../image.js';
import type { Architecture, BundleFile, BundleImage, BundleLock } from '../lock.js';
import { caFilesOf, type Mirrors, mirroredFile, mirroredRegistry } from '../mirrors.js';
import {
  type Credentials,
  type Manifest,
  type Registry,
  registryClient,
  smallBody,
} from '../registry/client.js';
import { parseReference } from '../registry/reference.js';
import { storeBlob, writeWhole } from '../store.js';
import { verifyBundle } from '../verify.js';
import { type WebClient, type WebSettings, webClient } from '../web/client.js';
import { download, expectContent } from '../web/download.js';
import { type RetrySettings, retrying } from '../web/retry.js';
import { upstreamRelease, type Versions } from './release.js';
import {
  newestPatchUrl,
  type UpstreamFile,
  type UpstreamImage,
  upstreamFiles,
  upstreamImages,
} from './sources.js';
import { unpackPrograms } from './unpack.js';

export interface PullOptions {
  /** `v1.36.3`, or `v1.36` for its newest patch release. */
  kubernetesVersion: string;
  architecture: Architecture;
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
  /** Downloads at once; default 4. */
  parallel?: number;
  onEvent?: OnBundleEvent;
  signal?: AbortSignal | undefined;
}

interface Pull extends PullOptions {
  client: WebClient;
  retry: RetrySettings;
  store: string;
  limit: ReturnType<typeof pLimit>;
  registries: Map<string, Registry>;
  /** Blobs on their way, by digest: several images have some in common. */
  underWay: Map<string, Promise<void>>;
}

/**
 * A bundle of the projects' own releases: programs from release sites, images from registries, every byte checked
 * by its published checksum or digest before it gets into the bundle.
 * @throws KeelsonError BUNDLE (not there, other content than its checksum), AUTHENTICATION, CONNECTION
 */
export async function pullBundle(options: PullOptions): Promise<Bundle> {
  const client = webClient({ ...options.web, caFiles: caFilesOf(options.mirrors) });
  const store = join(options.cacheDir, 'downloads', 'sha256');
  await mkdir(store, { recursive: true });
  const retry = { ...options.retry, signal: options.signal };
  const pull: Pull = {
    ...options,
    client,
    retry,
    store,
    limit: pLimit(options.parallel ?? 4),
    registries: new Map(),
    underWay: new Map(),
  };
  try {
    return await pullAll(pull);
  } finally {
    await client.close();
  }
}

async function pullAll(pull: Pull): Promise<Bundle> {
  const kubernetesVersion = await exactVersion(pull);
  const release = upstreamRelease(kubernetesVersion, pull.versions);
  const sources = upstreamFiles(kubernetesVersion, release, pull.architecture);
  const wanted = upstreamImages(kubernetesVersion, release, pull.imageRepository).map((image) => ({
    ...image,
    reference: pull.references?.[image.name] ?? image.reference,
  }));
  const stop = new AbortController();
  const failing = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      // The first failure counts; what others would download after it is not wanted any more.
      stop.abort(error);
      throw error;
    });
  const signal = pull.signal === undefined ? stop.signal : AbortSignal.any([pull.signal, stop.signal]);
  const inner = { ...pull, signal, retry: { ...pull.retry, signal } };
  const all = await Promise.allSettled([
    ...sources.map((source) => failing(inner.limit(() => pullFile(inner, source)))),
    ...wanted.map((image) => failing(pullImage(inner, image))),
  ]);
  if (stop.signal.aborted) throw stop.signal.reason;
  const results = all.map((result) => (result.status === 'fulfilled' ? result.value : null));
  const pulled = results.slice(0, sources.length) as PulledFile[];
  const images = results.slice(sources.length) as BundleImage[];
  const programs = new Map(pulled.flatMap(({ files }) => files).map((file) => [file.name, file]));
  const lock: BundleLock = {
    formatVersion: 1,
    kubernetesVersion,
    architecture: pull.architecture,
    source: 'upstream',
    toolchain: { go: '', gcc: '' },
    components: sources.map(({ component, version, url }, index) => ({
      name: component,
      version,
      module: url,
      sum: `sha256:${pulled[index]?.sha256 ?? ''}`,
    })),
    packages: [],
    ...(pull.imagesBy === undefined ? {} : { imagesBy: pull.imagesBy }),
    // In the order of the table, so that equal contents give equal locks.
    files: FILE_TABLE.flatMap(({ name }) => programs.get(name) ?? []),
    images,
  };
  const dir = pull.outDir(kubernetesVersion);
  await linkBlobs(dir, lock, pull.store);
  const bundle = await finishDirectory(dir, lock);
  await verifyBundle(dir, pull.signal);
  pull.onEvent?.({
    kind: 'bundle',
    dir,
    kubernetesVersion,
    files: lock.files.length,
    images: images.length,
    bytes: lockBytes(lock),
  });
  return bundle;
}

async function exactVersion(pull: Pull): Promise<string> {
  const asked = pull.kubernetesVersion;
  if (/^v\d+\.\d+\.\d+$/.test(asked)) return asked;
  if (!/^v\d+\.\d+$/.test(asked))
    throw new KeelsonError('USAGE', `${asked} is no version of Kubernetes`, {
      hint: 'write v1.36.3, or v1.36',
    });
  const text = (await smallFile(pull, newestPatchUrl(asked))).trim();
  if (text.startsWith(`${asked}.`) && /^v\d+\.\d+\.\d+$/.test(text)) return text;
  throw new KeelsonError('BUNDLE', `${newestPatchUrl(asked)}: names no patch release of ${asked}`, {
    hint: 'name the exact version',
  });
}

/** A text of an official address, from wherever it is mirrored. */
async function smallFile(pull: Pull, official: string): Promise<string> {
  return retrying(pull.retry, async () => {
    const answer = await ask(pull, official, {});
    await expectContent(answer, official);
    return (await smallBody(answer, official)).toString('utf8');
  });
}

function ask({ mirrors, client, signal }: Pull, official: string, headers: Readonly<Record<string, string>>) {
  const { url, credentials } = mirroredFile(mirrors, official);
  const login = credentials === null ? '' : `${credentials.username}:${credentials.password}`;
  const authorization =
    login === '' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  return client.request(url, { headers: { ...headers, ...authorization }, signal });
}

/** The checksum of a file in a text of them: alone, or in a line with its name. */
export function checksumIn(text: string, name: string): string | null {
  const alone = /^\s*([0-9a-f]{64})\s*$/.exec(text)?.[1];
  if (alone !== undefined) return alone;
  for (const line of text.split('\n')) {
    const [, sum, file] = /^([0-9a-f]{64}) [ *]?(?:.*\/)?([^/\s]+)\s*$/.exec(line) ?? [];
    if (file === name) return sum ?? null;
  }
  return null;
}

interface PulledFile {
  /** Of what was downloaded. */
  sha256: string;
  files: BundleFile[];
}

async function pullFile(pull: Pull, source: UpstreamFile): Promise<PulledFile> {
  const { component, version, url, checksumUrl, programs } = source;
  const started = performance.now();
  const name = url.split('/').at(-1) ?? '';
  const sha256 = checksumIn(await smallFile(pull, checksumUrl), name);
  if (sha256 === null)
    throw new KeelsonError('BUNDLE', `${checksumUrl}: has no checksum of ${name}`, {
      hint: 'name another server with --mirrors',
    });
  const file = join(pull.store, sha256);
  const there = await isThere(file);
  if (!there)
    await download({
      ...pull.retry,
      sha256,
      size: null,
      file,
      name: url,
      ask: (headers) => ask(pull, url, headers),
    });
  const files = Object.values(programs).includes('')
    ? [{ name: Object.keys(programs)[0] ?? '', ...(await hashFile(file)) }]
    : await unpacked(pull, file, sha256, programs);
  const seconds = (performance.now() - started) / 1000;
  pull.onEvent?.({
    kind: 'component',
    name: component,
    version,
    state: there ? 'cached' : 'finished',
    seconds,
  });
  return {
    sha256,
    files: files.map((program) => {
      const path = FILE_TABLE.find((row) => row.name === program.name)?.path ?? '';
      return {
        name: program.name,
        path,
        mode: FILE_MODE,
        sha256: program.sha256,
        size: program.size,
        version,
        roles: [...FILE_ROLES],
      };
    }),
  };
}

/** Programs of an archive, each in the store under its own digest. */
async function unpacked(pull: Pull, archive: string, sha256: string, programs: UpstreamFile['programs']) {
  const folder = join(pull.store, `${sha256}.unpacked`);
  await mkdir(folder, { recursive: true });
  try {
    const members = new Map(Object.entries(programs).map(([name, member]) => [member, name]));
    await unpackPrograms(archive, members, folder);
    const files = [];
    for (const name of Object.keys(programs)) {
      const { sha256: own, size } = await hashFile(join(folder, name));
      await storeBlob(pull.store, { file: join(folder, name), sha256: own, size }, 0o555);
      files.push({ name, sha256: own, size });
    }
    return files;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null;
}

async function pullImage(pull: Pull, { name, reference, roles }: UpstreamImage): Promise<BundleImage> {
  const { registry: host, repository, version } = parseReference(reference);
  const endpoint = mirroredRegistry(pull.mirrors, host, pull.saved ?? new Map());
  const registry = pull.registries.get(host) ?? registryClient(pull.client, endpoint, pull.retry);
  pull.registries.set(host, registry);
  const manifest = await pull.limit(() => registry.manifest(repository, version, pull.architecture));
  const rest = blobsOfManifest(manifest.bytes);
  if (rest === null)
    throw new KeelsonError(
      'BUNDLE',
      `${reference}: its manifest (${manifest.mediaType}) is of no kind that keelson knows`,
      {
        hint: 'choose another version, or a mirror that has the image as it was published',
      },
    );
  if (pull.imagesBy === undefined) {
    await writeWhole(join(pull.store, manifest.sha256), manifest.bytes);
    await Promise.all(
      rest.map((blob) => {
        const started =
          pull.underWay.get(blob.sha256) ?? pull.limit(() => pullBlob(pull, registry, repository, blob));
        pull.underWay.set(blob.sha256, started);
        return started;
      }),
    );
  }
  // What a tag names is the index, where there is one: hosts that pull it have that.
  const named =
    pull.imagesBy === undefined ? manifest : await pull.limit(() => registry.document(repository, version));
  const above = named.sha256 === manifest.sha256 ? [] : [descriptorOf(named)];
  const blobs = [...above, descriptorOf(manifest), ...rest];
  pull.onEvent?.({
    kind: 'image',
    reference,
    digest: `sha256:${named.sha256}`,
    size: blobs.reduce((sum, { size }) => sum + size, 0),
  });
  return {
    name,
    reference,
    digest: `sha256:${named.sha256}`,
    size: named.bytes.length,
    blobs,
    roles: [...roles],
  };
}

async function pullBlob(
  { store }: Pull,
  registry: Registry,
  repository: string,
  { sha256, size }: { sha256: string; size: number },
): Promise<void> {
  const file = join(store, sha256);
  if (!(await isThere(file))) await registry.blob(repository, { sha256, size, file });
}

function descriptorOf({ sha256, bytes, mediaType }: Manifest) {
  return { sha256, size: bytes.length, mediaType };
}
