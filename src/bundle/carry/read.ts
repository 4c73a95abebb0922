import type { KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import { createBrotliDecompress } from 'node:zlib';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bundleIndex, OCI_LAYOUT } from '../image.js';
import { type BundleLock, LOCK_FILE, parseLock } from '../lock.js';
import type { Papers } from '../papers.js';
import { checkSbom, SBOM_FILE } from '../sbom.js';
import { checkSignature, isAbout, SIGNATURE_FILE } from '../signature.js';
import { type CarriedBlob, carriedBlobs, DELTA_ENTRY, INDEX_ENTRY, LAYOUT_ENTRY } from './contents.js';
import { type DeltaHead, parseDeltaHead } from './delta-head.js';
import { partsOf, readParts } from './parts.js';
import { type TarReader, tarReader } from './tar-reader.js';
import { verified } from './verified.js';

/** Most bytes of a lock, a bill of materials or a signature. */
const PAPER_BYTES = 32 << 20;

export interface ArchiveHead {
  lock: BundleLock;
  papers: Papers;
  /** null for a whole bundle. */
  delta: DeltaHead | null;
  /** Id of the key that has signed it; null where no key was asked for. */
  signedBy: string | null;
}

export interface ReadArchiveOptions {
  /** One of these has to have signed the archive; without any, signatures are not looked at. */
  keys?: readonly KeyObject[] | undefined;
  /** Papers are checked by then, and nothing else is read before it ends. Returning false ends the reading. */
  begin?: ((head: ArchiveHead) => Promise<boolean>) | undefined;
  /** Takes a blob; its chunks end in an error unless they are what the lock says. */
  blob?: ((blob: CarriedBlob, chunks: AsyncGenerator<Buffer>) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reads an archive to its end and checks every bit of it: signature, lock, bill of materials, index, each blob,
 * and the digest over all.
 * @throws KeelsonError BUNDLE naming what is wrong
 */
export async function readBundleArchive(
  file: string,
  options: ReadArchiveOptions = {},
): Promise<ArchiveHead> {
  const parts = await partsOf(file);
  const source = readParts(parts);
  const tar = tarReader(source, parts.length > 1 ? `${file} (${parts.length} parts)` : file);
  try {
    return await readAll(tar, file, options);
  } finally {
    await source.return(undefined);
  }
}

async function readAll(tar: TarReader, file: string, options: ReadArchiveOptions): Promise<ArchiveHead> {
  const refuse = (problem: string) =>
    new KeelsonError('BUNDLE', `${file}: ${problem}`, {
      hint: 'export the bundle again, or copy it once more',
    });

  let entry = await tar.next();
  const take = async (name: string): Promise<Buffer> => {
    if (entry?.name !== name) throw refuse(`is no bundle: ${name} is missing`);
    const bytes = await tar.bytes(PAPER_BYTES);
    entry = await tar.next();
    return bytes;
  };
  const delta = entry?.name === DELTA_ENTRY ? parseDeltaHead(await take(DELTA_ENTRY), file) : null;
  const lockText = await take(LOCK_FILE);
  const sbom = await take(SBOM_FILE);
  const signature = entry?.name === SIGNATURE_FILE ? await take(SIGNATURE_FILE) : null;
  const papers: Papers = { lock: lockText, sbom, signature };
  const { keys = [] } = options;
  const signedBy = keys.length === 0 ? null : checkSignature(papers, signature, keys, file);
  if (signature !== null && !isAbout(signature, papers))
    throw refuse('its signature is about another bundle');
  const lock = parseLock(lockText.toString('utf8'), `${file}: ${LOCK_FILE}`);
  checkSbom(sbom, lock, file);
  if (!(await take(LAYOUT_ENTRY)).equals(OCI_LAYOUT)) throw refuse(`${LAYOUT_ENTRY} is corrupt`);
  if (!(await take(INDEX_ENTRY)).equals(bundleIndex(lock)))
    throw refuse(`${INDEX_ENTRY} does not name the images of the lock`);
  const head: ArchiveHead = { lock, papers, delta, signedBy };
  if ((await options.begin?.(head)) === false) return head;

  for (const blob of carriedBlobs(lock)) {
    options.signal?.throwIfAborted();
    if (delta?.omitted.has(blob.sha256)) continue;
    if (entry?.name !== blob.entry) throw refuse(`${blob.entry} is missing`);
    await takeBlob(tar, blob, options, file);
    entry = await tar.next();
  }
  if (entry !== null) throw refuse(`${entry.name} does not belong there`);
  return head;
}

async function takeBlob(
  tar: TarReader,
  blob: CarriedBlob,
  { blob: sink = drain }: ReadArchiveOptions,
  file: string,
): Promise<void> {
  const raw = tar.content();
  const chunks = blob.compressed ? decompressed(raw, `${file}: ${blob.entry}`) : raw;
  await sink(blob, verified(chunks, blob, `${file}: ${blob.entry}`));
  for await (const _ of raw)
    throw new KeelsonError('BUNDLE', `${file}: ${blob.entry} has more than one blob`, {
      hint: 'copy the bundle once more',
    });
}

async function drain(_blob: CarriedBlob, chunks: AsyncGenerator<Buffer>): Promise<void> {
  for await (const _ of chunks);
}

async function* decompressed(raw: AsyncGenerator<Buffer>, name: string): AsyncGenerator<Buffer> {
  // The generator outlives the stream, so that what lies behind the compressed data can be seen.
  const source = Readable.from(
    (async function* () {
      for (let next = await raw.next(); next.done !== true; next = await raw.next()) yield next.value;
    })(),
  );
  const out = createBrotliDecompress({ chunkSize: 1 << 20 });
  source.on('error', (error) => out.destroy(error));
  source.pipe(out);
  try {
    for await (const chunk of out) yield chunk as Buffer;
  } catch (cause) {
    if (cause instanceof KeelsonError) throw cause;
    throw new KeelsonError('BUNDLE', `${name}: is corrupt: it can't be decompressed`, {
      cause,
      hint: 'copy the bundle once more',
    });
  } finally {
    source.destroy();
  }
}
