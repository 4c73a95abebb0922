import { KeelsonError } from '../../errors/keelson-error.js';
import type { Bundle } from '../bundle.js';
import { finishDirectory, linkBlobs, lockBytes } from '../directory.js';
import { FILE_TABLE } from '../file-table.js';
import { type BundleImage, type BundleLock, carriedImages, plainFiles } from '../lock.js';
import { verifyBundle } from '../verify.js';
import { type Pull, type PullOptions, smallFile, withPull } from './pull-context.js';
import { type PulledFile, pullFile } from './pull-file.js';
import { pullImage } from './pull-image.js';
import { upstreamRelease } from './release.js';
import { newestPatchUrl, upstreamFiles, upstreamImages } from './sources.js';

/**
 * A bundle of the projects' own releases: programs from release sites, images from registries, every byte checked
 * by its published checksum or digest before it gets into the bundle.
 * @throws KeelsonError BUNDLE (not there, other content than its checksum), AUTHENTICATION, CONNECTION
 */
export function pullBundle(options: PullOptions): Promise<Bundle> {
  return withPull(options, pullAll);
}

async function pullAll(pull: Pull): Promise<Bundle> {
  const kubernetesVersion = await exactVersion(pull);
  const stop = new AbortController();
  const signal = pull.signal === undefined ? stop.signal : AbortSignal.any([pull.signal, stop.signal]);
  const inner = { ...pull, signal, retry: { ...pull.retry, signal } };
  const pulls = [pull.architecture, ...(pull.others ?? [])].map((architecture) =>
    pullPayload({ ...inner, architecture }, kubernetesVersion, stop),
  );
  const payloads = await Promise.allSettled(pulls);
  if (stop.signal.aborted) throw stop.signal.reason;
  const [main, ...others] = payloads.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  if (main === undefined) throw new KeelsonError('BUG', 'no architecture to pull for');
  const { architecture, components, files, images } = main;
  const lock: BundleLock = {
    formatVersion: 1,
    kubernetesVersion,
    architecture,
    source: 'upstream',
    toolchain: { go: '', gcc: '' },
    components,
    packages: [],
    ...(pull.imagesBy === undefined ? {} : { imagesBy: pull.imagesBy }),
    files,
    images,
    ...(others.length === 0 ? {} : { others }),
  };
  const dir = pull.outDir(kubernetesVersion);
  await linkBlobs(dir, lock, pull.store);
  const bundle = await finishDirectory(dir, lock);
  await verifyBundle(dir, pull.signal);
  pull.onEvent?.({
    kind: 'bundle',
    dir,
    kubernetesVersion,
    files: plainFiles(lock).length,
    images: carriedImages(lock).length || images.length,
    bytes: lockBytes(lock),
  });
  return bundle;
}

type Payload = Pick<BundleLock, 'architecture' | 'components' | 'files' | 'images'>;

/** Everything for hosts of one architecture. The first failure ends what is under way for others too. */
async function pullPayload(pull: Pull, kubernetesVersion: string, stop: AbortController): Promise<Payload> {
  const { architecture } = pull;
  const release = upstreamRelease(kubernetesVersion, pull.versions);
  const sources = upstreamFiles(kubernetesVersion, release, architecture);
  const wanted = upstreamImages(kubernetesVersion, release, pull.imageRepository).map((image) => ({
    ...image,
    reference: pull.references?.[image.name] ?? image.reference,
  }));
  const failing = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      // What would be downloaded after it is not wanted any more.
      stop.abort(error);
      throw error;
    });
  const all = await Promise.allSettled([
    ...sources.map((source) => failing(pull.limit(() => pullFile(pull, source)))),
    ...wanted.map((image) => failing(pullImage(pull, image))),
  ]);
  if (stop.signal.aborted) throw stop.signal.reason;
  const results = all.map((result) => (result.status === 'fulfilled' ? result.value : null));
  const pulled = results.slice(0, sources.length) as PulledFile[];
  const programs = new Map(pulled.flatMap(({ files }) => files).map((file) => [file.name, file]));
  return {
    architecture,
    components: sources.map(({ component, version, url }, index) => ({
      name: component,
      version,
      module: url,
      sum: `sha256:${pulled[index]?.sha256 ?? ''}`,
    })),
    // In the order of the table, so that equal contents give equal locks.
    files: FILE_TABLE.flatMap(({ name }) => programs.get(name) ?? []),
    images: results.slice(sources.length) as BundleImage[],
  };
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
