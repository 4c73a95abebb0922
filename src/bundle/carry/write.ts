import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { type Bundle, blobPath } from '../bundle.js';
import { bundleIndex, OCI_LAYOUT } from '../image.js';
import { LOCK_FILE } from '../lock.js';
import type { Papers } from '../papers.js';
import { SBOM_FILE } from '../sbom.js';
import { SIGNATURE_FILE } from '../signature.js';
import { type CarriedBlob, carriedBlobs, DELTA_ENTRY, INDEX_ENTRY, LAYOUT_ENTRY } from './contents.js';
import { writeParts } from './parts.js';
import { tarWriter } from './tar-writer.js';
import { verified } from './verified.js';

export interface WriteArchiveOptions {
  /** The archive, or with `partBytes` the name to which `.001`, `.002`, … are added. */
  file: string;
  /** Most bytes of a part. */
  partBytes?: number | undefined;
  papers: Papers;
  /** First entry of a delta, and the blobs that its receiver has. */
  delta?: { head: Buffer; omit: ReadonlySet<string> } | undefined;
  /** Bytes of blobs written so far, and of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface WrittenArchive {
  files: string[];
  /** As the archive ends with it. */
  sha256: string;
  /** Bytes of all files. */
  bytes: number;
}

/**
 * Programs of Go at a speed that a disk keeps up with, smaller than gzip's best; unlike zlib's, its output does
 * not depend on the processor.
 */
const compress = promisify(brotliCompress);
const QUALITY = 3;
const READ_BYTES = 1 << 20;

/** Writes a bundle as one file, or several; the same bundle gives the same bytes. */
export async function writeBundleArchive(
  bundle: Bundle,
  options: WriteArchiveOptions,
): Promise<WrittenArchive> {
  const { file, partBytes, papers, delta, signal } = options;
  const parts = writeParts(file, partBytes);
  let bytes = 0;
  const tar = tarWriter(async (chunk) => {
    bytes += chunk.length;
    await parts.write(chunk);
  });
  try {
    if (delta !== undefined) await tar.add(DELTA_ENTRY, delta.head);
    await tar.add(LOCK_FILE, papers.lock);
    await tar.add(SBOM_FILE, papers.sbom);
    if (papers.signature !== null) await tar.add(SIGNATURE_FILE, papers.signature);
    await tar.add(LAYOUT_ENTRY, OCI_LAYOUT);
    await tar.add(INDEX_ENTRY, bundleIndex(bundle.lock));
    const blobs = carriedBlobs(bundle.lock).filter(({ sha256 }) => delta?.omit.has(sha256) !== true);
    const total = blobs.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    for await (const { blob, content } of prepared(bundle, blobs)) {
      signal?.throwIfAborted();
      await tar.add(blob.entry, content ?? chunksOf(bundle, blob));
      done += blob.size;
      options.onProgress?.(done, total);
    }
    const sha256 = await tar.end();
    return { files: await parts.finish(), sha256, bytes };
  } catch (error) {
    await parts.discard();
    throw error;
  }
}

/** Compresses ahead of the one that is written, on all processors. */
async function* prepared(bundle: Bundle, blobs: readonly CarriedBlob[]) {
  const ahead: Promise<Buffer | null>[] = [];
  let next = 0;
  for (const blob of blobs) {
    while (next < blobs.length && ahead.length <= availableParallelism()) {
      const content = contentOf(bundle, blobs[next]);
      // Whoever takes it below hears of a failure; it must not count as unhandled before.
      content.catch(() => undefined);
      ahead.push(content);
      next += 1;
    }
    yield { blob, content: (await ahead.shift()) ?? null };
  }
}

/** Null where the blob goes into the archive as it is. */
async function contentOf(bundle: Bundle, blob: CarriedBlob | undefined): Promise<Buffer | null> {
  if (blob === undefined || !blob.compressed) return null;
  const file = blobPath(bundle, blob.sha256);
  const bytes = await readFile(file);
  for await (const _ of verified([bytes], blob, file));
  return compress(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

function chunksOf(bundle: Bundle, { sha256, size }: CarriedBlob) {
  const file = blobPath(bundle, sha256);
  const chunks = createReadStream(file, { highWaterMark: READ_BYTES });
  return { size, chunks: verified(chunks, { sha256, size }, file) };
}
