import { KeelsonError } from '../../errors/keelson-error.js';
import { type WebSettings, webClient } from '../../web/client.js';
import type { Architecture } from '../lock.js';
import { caFilesOf, type Mirrors, mirroredFile, mirroredRegistry } from '../mirrors.js';
import { type Credentials, registryClient } from '../registry/client.js';
import { parseReference } from '../registry/reference.js';
import { upstreamRelease } from './release.js';
import { upstreamFiles, upstreamImages } from './sources.js';

/** Longest wait for each of the two, in milliseconds: who is asked here is not needed. */
const PATIENCE_MS = 5000;

export interface AnswersOptions {
  /** Exact, with leading v. */
  kubernetesVersion: string;
  architecture: Architecture;
  mirrors: Mirrors;
  saved?: ReadonlyMap<string, Credentials>;
  web?: Omit<WebSettings, 'caFiles'>;
  signal?: AbortSignal | undefined;
}

/**
 * Whether the official releases of a version can be had from here: a checksum of its first file, and the manifest of
 * its first image, each from wherever it is mirrored.
 * @returns null where both answer, else why not, as text for people
 * @throws KeelsonError ABORTED
 */
export async function upstreamAnswers(options: AnswersOptions): Promise<string | null> {
  const { kubernetesVersion, architecture, mirrors, saved = new Map(), signal } = options;
  const client = webClient({ ...options.web, caFiles: caFilesOf(mirrors), idleMs: PATIENCE_MS });
  try {
    const release = upstreamRelease(kubernetesVersion);
    const [file] = upstreamFiles(kubernetesVersion, release, architecture);
    const [image] = upstreamImages(kubernetesVersion, release);
    if (file === undefined || image === undefined) throw new KeelsonError('BUG', 'no release to ask for');
    const { url, credentials } = mirroredFile(mirrors, file.checksumUrl);
    const login = credentials === null ? null : `${credentials.username}:${credentials.password}`;
    const headers: Record<string, string> =
      login === null ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
    const answer = await client.request(url, { headers, signal });
    await answer.body.dump();
    if (answer.status !== 200) return `${new URL(url).origin}: answers with ${answer.status}`;
    const { registry, repository, version } = parseReference(image.reference);
    const endpoint = mirroredRegistry(mirrors, registry, saved);
    await registryClient(client, endpoint, { attempts: 1, signal }).document(repository, version);
    return null;
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code === 'ABORTED' || error.code === 'BUG') throw error;
    return error.message;
  } finally {
    await client.close();
  }
}
