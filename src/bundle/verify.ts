import type { KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Bundle, blobPath, loadBundle } from './bundle.js';
import { hashFile } from './cache.js';
import { blobsOfManifest, bundleIndex } from './image.js';
import { carriedImages, plainFiles } from './lock.js';
import { papersOf } from './papers.js';
import { checkSbom } from './sbom.js';
import { checkSignature, isAbout } from './signature.js';

/** A blob that is not what the lock says. */
interface BlobFinding {
  sha256: string;
  /** Path of the blob on this machine. */
  file: string;
  /** What needs it, for example `file kubelet` or `image registry.k8s.io/pause:3.10.2`. */
  neededBy: readonly string[];
  problem: string;
}

export interface VerifiedBundle {
  bundle: Bundle;
  blobs: number;
  bytes: number;
  /** Id of the key that has signed it; null where no key was asked for. */
  signedBy: string | null;
}

/**
 * Hashes every blob of a bundle, and looks whether images consist of what the lock says.
 * @param keys one of these has to have signed it
 * @throws KeelsonError BUNDLE naming the first blob that is missing or corrupt; all of them are in `details`
 * as BlobFinding[]
 */
export async function verifyBundle(
  dir: string,
  signal?: AbortSignal,
  keys: readonly KeyObject[] = [],
): Promise<VerifiedBundle> {
  const bundle = await loadBundle(dir);
  const blobs = blobsOf(bundle);
  const findings: BlobFinding[] = [];
  let bytes = 0;
  for (const [sha256, { size, neededBy }] of blobs) {
    signal?.throwIfAborted();
    const file = blobPath(bundle, sha256);
    const problem = await problemOf(file, sha256, size);
    if (problem !== null) findings.push({ sha256, file, neededBy, problem });
    bytes += size;
  }
  const index = await readFile(join(dir, 'index.json')).catch(() => null);
  if (index === null || !index.equals(bundleIndex(bundle.lock))) {
    const problem = index === null ? 'is missing' : 'does not name the images of the lock';
    findings.push({ sha256: '', file: join(dir, 'index.json'), neededBy: ['all images'], problem });
  }
  findings.push(...(await manifestFindings(bundle)));
  const [first] = findings;
  if (first === undefined)
    return { bundle, blobs: blobs.size, bytes, signedBy: await checkPapers(bundle, keys) };
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  throw new KeelsonError(
    'BUNDLE',
    `${first.file}: ${first.problem}, needed by ${first.neededBy.join(', ')}${more}`,
    {
      hint: 'remove the bundle directory and build it again with `keelson bundle build`, or copy it once more',
      details: findings,
    },
  );
}

async function checkPapers(bundle: Bundle, keys: readonly KeyObject[]): Promise<string | null> {
  const papers = await papersOf(bundle);
  checkSbom(papers.sbom, bundle.lock, bundle.dir);
  if (keys.length > 0) return checkSignature(papers, papers.signature, keys, bundle.dir);
  if (papers.signature === null || isAbout(papers.signature, papers)) return null;
  throw new KeelsonError('BUNDLE', `${bundle.dir}: its signature is about another bundle`, {
    hint: 'sign it with `keelson bundle sign`',
  });
}

/** Images whose manifest names another configuration or other layers than the lock. */
async function manifestFindings(bundle: Bundle): Promise<BlobFinding[]> {
  const findings: BlobFinding[] = [];
  for (const { reference, blobs } of carriedImages(bundle.lock)) {
    const [manifest, ...rest] = blobs;
    if (manifest === undefined) continue;
    const file = blobPath(bundle, manifest.sha256);
    const bytes = await readFile(file).catch(() => null);
    // What is missing or corrupt has been found before.
    if (bytes === null || bytes.length !== manifest.size) continue;
    if (!isDeepStrictEqual(blobsOfManifest(bytes), rest)) {
      const problem = 'names other blobs than the lock';
      findings.push({ sha256: manifest.sha256, file, neededBy: [`image ${reference}`], problem });
    }
  }
  return findings;
}

function blobsOf(bundle: Bundle): Map<string, { size: number; neededBy: string[] }> {
  const blobs = new Map<string, { size: number; neededBy: string[] }>();
  const add = (sha256: string, size: number, user: string) => {
    const known = blobs.get(sha256);
    if (known === undefined) blobs.set(sha256, { size, neededBy: [user] });
    else known.neededBy.push(user);
  };
  for (const file of plainFiles(bundle.lock)) add(file.sha256, file.size, `file ${file.name}`);
  for (const image of carriedImages(bundle.lock)) {
    for (const blob of image.blobs) add(blob.sha256, blob.size, `image ${image.reference}`);
  }
  return blobs;
}

async function problemOf(file: string, sha256: string, size: number): Promise<string | null> {
  const found = await stat(file).catch(() => null);
  if (found === null) return 'is missing';
  if (found.size !== size) return `has ${found.size} bytes instead of ${size}`;
  const actual = await hashFile(file);
  return actual.sha256 === sha256 ? null : `is corrupt: its sha256 is ${actual.sha256}`;
}

export interface BundleSummary {
  dir: string;
  kubernetesVersion: string;
  source: string;
  architecture: string;
  toolchain: { go: string; gcc: string };
  components: readonly { name: string; version: string; module: string; sum: string }[];
  files: readonly { name: string; path: string; version: string; size: number; roles: readonly string[] }[];
  /** `size` is that of all blobs of the image, shared ones included. */
  images: readonly {
    name: string;
    reference: string;
    digest: string;
    size: number;
    roles: readonly string[];
  }[];
  /** Bytes of all distinct blobs. */
  bytes: number;
  /** Bytes that a host of each role needs. */
  bytesByRole: Readonly<Record<'control-plane' | 'worker', number>>;
}

/** What a bundle holds, for people and `-o json`; reads the lock only. */
export async function inspectBundle(dir: string): Promise<BundleSummary> {
  const bundle = await loadBundle(dir);
  const { kubernetesVersion, source, architecture, toolchain, components, files, images } = bundle.lock;
  const distinct = (role?: 'control-plane' | 'worker') => {
    const sizes = new Map<string, number>();
    const wanted = (roles: readonly string[]) => role === undefined || roles.includes(role);
    for (const file of files) if (wanted(file.roles)) sizes.set(file.sha256, file.size);
    for (const image of images)
      if (wanted(image.roles)) for (const blob of image.blobs) sizes.set(blob.sha256, blob.size);
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  };
  return {
    dir,
    kubernetesVersion,
    source,
    architecture,
    toolchain,
    components,
    files: files.map(({ name, path, version, size, roles }) => ({ name, path, version, size, roles })),
    images: images.map(({ name, reference, digest, blobs, roles }) => ({
      name,
      reference,
      digest,
      size: blobs.reduce((sum, blob) => sum + blob.size, 0),
      roles,
    })),
    bytes: distinct(),
    bytesByRole: { 'control-plane': distinct('control-plane'), worker: distinct('worker') },
  };
}
