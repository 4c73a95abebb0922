import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type TarFile, tarStream } from '../archive/tar.js';

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
  const handle = await open(file, 'w');
  try {
    for await (const chunk of tarStream(withParents(entries).map(tarEntry))) {
      hash.update(chunk);
      size += chunk.length;
      await handle.writeFile(chunk);
    }
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), size };
}

function tarEntry(entry: LayerEntry): TarFile {
  const common = { name: entry.path, mtime: EPOCH, uid: 0, gid: 0, uname: '', gname: '' };
  const none = Buffer.alloc(0);
  switch (entry.type) {
    case 'directory':
      return { header: { ...common, type: 'directory', mode: entry.mode }, content: none };
    case 'symlink':
      return { header: { ...common, type: 'symlink', linkname: entry.target, mode: 0o777 }, content: none };
    case 'file': {
      const pax =
        entry.netBindService === true
          ? { pax: { 'SCHILY.xattr.security.capability': NET_BIND_SERVICE } }
          : {};
      return { header: { ...common, type: 'file', mode: entry.mode, ...pax }, content: entry.content };
    }
  }
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
