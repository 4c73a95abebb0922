import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestSource } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { type ManifestObject, parseManifests } from '../manifests/parse-manifests.js';

const FETCH_TIMEOUT_MS = 60_000;

/** The text that is at a URL by its SHA-256, where it is at hand; null where it is not. */
export type CarriedText = (sha256: string) => Promise<string | null>;

/**
 * Objects of all sources, in their order; of a directory its .yaml, .yml and .json files by name.
 * @param carried asked before a URL is
 * @throws CONFIG for what can't be read or has another digest than the file says, CONNECTION for a URL
 */
export async function readManifests(
  sources: readonly ManifestSource[],
  signal: AbortSignal,
  carried: CarriedText = async () => null,
): Promise<ManifestObject[]> {
  const objects = await Promise.all(
    sources.map(async (source) =>
      'file' in source
        ? readPath(source.file)
        : parseManifests(
            (await carried(source.sha256)) ?? (await fetchText(source.url, source.sha256, signal)),
            source.url,
          ),
    ),
  );
  return objects.flat();
}

async function readPath(path: string): Promise<ManifestObject[]> {
  const unreadable = (cause: unknown) =>
    new KeelsonError('CONFIG', `manifest ${path} can't be read`, {
      cause,
      hint: 'correct the path in the cluster file; relative ones start in its folder',
    });
  const entry = await stat(path).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  const files = entry.isDirectory()
    ? (await readdir(path))
        .filter((name) => /\.(ya?ml|json)$/.test(name))
        .sort()
        .map((name) => join(path, name))
    : [path];
  if (files.length === 0) throw new KeelsonError('CONFIG', `${path} has no .yaml, .yml or .json files`);
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8'))).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  return texts.flatMap((text, index) => parseManifests(text, files[index] ?? path));
}

async function fetchText(url: string, sha256: string, signal: AbortSignal): Promise<string> {
  let body: Buffer;
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]),
    });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    body = Buffer.from(await response.arrayBuffer());
  } catch (cause) {
    signal.throwIfAborted();
    throw new KeelsonError(
      'CONNECTION',
      `${url} can't be fetched: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
        hint: 'make the bundle with -c and this cluster file where there is a way out, or download it and name the file instead',
      },
    );
  }
  const found = createHash('sha256').update(body).digest('hex');
  if (found === sha256) return body.toString('utf8');
  throw new KeelsonError('CONFIG', `${url} has the SHA-256 ${found}, not ${sha256}`, {
    hint: 'what is there has changed: look at it, then correct sha256 in the cluster file',
  });
}
