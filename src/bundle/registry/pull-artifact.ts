import type { KeyObject } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Bundle } from '../bundle.js';
import { blobsOfLock, finishDirectory, linkBlobs } from '../directory.js';
import { carriedImages, LOCK_FILE, parseLock } from '../lock.js';
import type { Papers } from '../papers.js';
import { checkSbom, SBOM_FILE } from '../sbom.js';
import { checkSignature, SIGNATURE_FILE } from '../signature.js';
import { writeWhole } from '../store.js';
import { verifyBundle } from '../verify.js';
import { bundleIndexSchema, bundleManifestSchema, PAPER_TYPES } from './artifact.js';
import type { Registry } from './client.js';

export interface PullArtifactOptions {
  repository: string;
  tag: string;
  /** The bundle directory, by the exact version of Kubernetes. */
  outDir: (kubernetesVersion: string) => string;
  cacheDir: string;
  keys?: readonly KeyObject[];
  parallel?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Takes a bundle out of a registry. Papers come first: nothing else is asked for before lock and signature are
 * checked.
 * @throws KeelsonError BUNDLE (no bundle, other content, not signed as asked), AUTHENTICATION, CONNECTION
 */
export async function pullArtifact(registry: Registry, options: PullArtifactOptions): Promise<Bundle> {
  const { repository, tag, signal } = options;
  const place = `${repository}:${tag}`;
  const store = join(options.cacheDir, 'downloads', 'sha256');
  await mkdir(store, { recursive: true });
  const fetch = async ({ sha256, size }: { sha256: string; size: number }) => {
    const file = join(store, sha256);
    if ((await stat(file).catch(() => null)) === null)
      await registry.blob(repository, { sha256, size, file });
    return file;
  };
  const papers = await pullPapers(registry, options, fetch);
  const { keys = [] } = options;
  if (keys.length > 0) checkSignature(papers, papers.signature, keys, place);
  const lock = parseLock(papers.lock.toString('utf8'), `${place}: ${LOCK_FILE}`);
  checkSbom(papers.sbom, lock, place);

  const limit = pLimit(options.parallel ?? 4);
  const manifests = new Set(carriedImages(lock).map(({ digest }) => digest.slice('sha256:'.length)));
  const stop = new AbortController();
  const work = blobsOfLock(lock).map((blob) =>
    limit(async () => {
      stop.signal.throwIfAborted();
      signal?.throwIfAborted();
      // Manifests are no blobs to a registry.
      if (!manifests.has(blob.sha256)) await fetch(blob);
      else
        await writeWhole(
          join(store, blob.sha256),
          (await registry.document(repository, `sha256:${blob.sha256}`)).bytes,
        );
    }).catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(work);
  if (stop.signal.aborted) throw stop.signal.reason;

  const dir = options.outDir(lock.kubernetesVersion);
  await linkBlobs(dir, lock, store);
  await finishDirectory(dir, lock);
  // Byte for byte what was pushed, so that its signature fits.
  await writeWhole(join(dir, SBOM_FILE), papers.sbom);
  if (papers.signature === null) await rm(join(dir, SIGNATURE_FILE), { force: true });
  else await writeWhole(join(dir, SIGNATURE_FILE), papers.signature);
  await writeWhole(join(dir, LOCK_FILE), papers.lock);
  return (await verifyBundle(dir, signal, keys)).bundle;
}

async function pullPapers(
  registry: Registry,
  { repository, tag }: PullArtifactOptions,
  fetch: (blob: { sha256: string; size: number }) => Promise<string>,
): Promise<Papers> {
  const refuse = () =>
    new KeelsonError('BUNDLE', `${repository}:${tag}: is no bundle`, {
      hint: 'name what `keelson bundle push` has pushed',
    });
  const index = bundleIndexSchema.safeParse(parsed((await registry.document(repository, tag)).bytes));
  const own = index.data?.manifests.find(({ artifactType }) => artifactType !== undefined);
  if (own === undefined) throw refuse();
  const manifest = bundleManifestSchema.safeParse(
    parsed((await registry.document(repository, own.digest)).bytes),
  );
  const paper = async (mediaType: string): Promise<Buffer | null> => {
    const layer = manifest.data?.layers.find((candidate) => candidate.mediaType === mediaType);
    if (layer === undefined) return null;
    return readFile(await fetch({ sha256: layer.digest.slice('sha256:'.length), size: layer.size }));
  };
  const lock = await paper(PAPER_TYPES.lock);
  const sbom = await paper(PAPER_TYPES.sbom);
  if (lock === null || sbom === null) throw refuse();
  return { lock, sbom, signature: await paper(PAPER_TYPES.signature) };
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
