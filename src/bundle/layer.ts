import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';

/** Something in a layer. Paths are relative to the image's root, without leading slash. */
export type LayerEntry =
  | { type: 'directory'; path: string; mode: number }
  | { type: 'symlink'; path: string; target: string }
  | {
      type: 'file';
      path: string;
      mode: number;
      content: Buffer | { file: string; size: number; sha256: string };
      /** CAP_NET_BIND_SERVICE as a file capability, permitted and effective. */
      netBindService?: boolean;
    };

/** A tar entry's header; what is absent gets tar's default. */
type TarHeader = Partial<Header> & Pick<Header, 'name'>;

export type FileContent = (LayerEntry & { type: 'file' })['content'];

/** Layers are compressed: see `compress.ts`. */
export const LAYER_MEDIA_TYPE = 'application/vnd.oci.image.layer.v1.tar+zstd';

/**
 * vfs_cap_data, revision 2 with the effective flag, and bit 10 of the permitted set. All bytes are ASCII, as a
 * pax record needs them.
 */
const NET_BIND_SERVICE = `\x01\x00\x00\x02\x00\x04${'\x00'.repeat(14)}`;

const EPOCH = new Date(0);

/** What distinguishes a layer: equal identities give equal bytes. */
export function layerIdentity(entries: readonly LayerEntry[]): string {
  return JSON.stringify(
    sorted(entries).map((entry) =>
      entry.type === 'file'
        ? { ...entry, content: Buffer.isBuffer(entry.content) ? sha256(entry.content) : entry.content.sha256 }
        : entry,
    ),
  );
}

/** Writes the layer to `file`: entries sorted by path, owned by root, dated to the epoch, missing parents added. */
export async function writeLayer(
  entries: readonly LayerEntry[],
  file: string,
): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const tar = pack();
  const written = pipeline(
    tar,
    async function* (chunks) {
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(file),
  );
  const filled = fill(tar, withParents(entries));
  await Promise.all([written, filled]);
  return { sha256: hash.digest('hex'), size };
}

async function fill(tar: Pack, entries: readonly LayerEntry[]): Promise<void> {
  try {
    for (const entry of entries) await addEntry(tar, entry);
    tar.finalize();
  } catch (error) {
    tar.destroy(error as Error);
    throw error;
  }
}

async function addEntry(tar: Pack, entry: LayerEntry): Promise<void> {
  const common = { name: entry.path, mtime: EPOCH, uid: 0, gid: 0, uname: '', gname: '' };
  if (entry.type === 'directory') return addTarEntry(tar, { ...common, type: 'directory', mode: entry.mode });
  if (entry.type === 'symlink')
    return addTarEntry(tar, { ...common, type: 'symlink', linkname: entry.target, mode: 0o777 });
  const pax =
    entry.netBindService === true ? { pax: { 'SCHILY.xattr.security.capability': NET_BIND_SERVICE } } : {};
  await addTarEntry(tar, { ...common, type: 'file', mode: entry.mode, ...pax }, entry.content);
}

/** Adds one entry and waits until the archive has taken its bytes. */
async function addTarEntry(
  tar: Pack,
  header: TarHeader,
  content: Buffer | { file: string; size: number } = Buffer.alloc(0),
): Promise<void> {
  if (Buffer.isBuffer(content)) {
    const sized = header.type === 'file' ? { ...header, size: content.length } : header;
    await new Promise<void>((resolve, reject) => {
      tar.entry(sized, content, (error) => (error ? reject(error) : resolve()));
    });
    return;
  }
  const { file, size } = content;
  // tar-stream never reports an entry of no bytes that is piped.
  if (size === 0) return addTarEntry(tar, header, await readFile(file));
  let taken: () => void = () => undefined;
  let failed: (error: Error) => void = () => undefined;
  const finished = new Promise<void>((resolve, reject) => {
    taken = resolve;
    failed = reject;
  });
  // Whoever waits below hears of it; it must not count as unhandled before.
  finished.catch(() => undefined);
  const sink = tar.entry({ ...header, size }, (error) => (error ? failed(error) : taken()));
  sink.on('error', failed);
  sink.on('close', () => failed(new Error(`the archive was closed within ${header.name}`)));
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), finished]);
  }
  sink.end(undefined);
  await finished;
}

function withParents(entries: readonly LayerEntry[]): LayerEntry[] {
  const known = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (!known.has(parent)) known.set(parent, { type: 'directory', path: parent, mode: 0o755 });
    }
  }
  return sorted([...known.values()]);
}

function sorted(entries: readonly LayerEntry[]): LayerEntry[] {
  return [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
