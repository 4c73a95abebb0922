import { open } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';

/** Format of bbolt, the store under etcd: go.etcd.io/bbolt, internal/common/{meta,page,bucket}.go. */
const MAGIC = 0xed0cdaed;
const VERSION = 2;
const PAGE_HEADER = 16;
const BRANCH = 0x01;
const LEAF = 0x02;
const BUCKET_ELEMENT = 0x01;
const ELEMENT = 16;
const BUCKET_HEADER = 16;
const MAX_DEPTH = 32;
const BLOCK_BYTES = 4 * 1024 * 1024;
const KEPT_BLOCKS = 16;

interface BoltEntry {
  key: Buffer;
  value: Buffer;
}

/** A bbolt file, read page by page. */
export interface BoltFile {
  /** Everything in a bucket, in the order of its keys; nothing where there is no such bucket. */
  entries: (bucket: string) => AsyncGenerator<BoltEntry, void, void>;
}

interface Element extends BoltEntry {
  bucket: boolean;
}

interface Page {
  flags: number;
  count: number;
  bytes: Buffer;
}

/**
 * Opens a bbolt file for as long as `use` takes.
 * @param source its path, or its bytes
 * @throws VERIFY where it is none, or its pages contradict each other
 */
export async function withBolt<T>(
  source: string | Buffer,
  name: string,
  use: (file: BoltFile) => Promise<T>,
): Promise<T> {
  const bad = (why: string) => new KeelsonError('VERIFY', `${name} is no database of etcd: ${why}`);
  const work = async (read: Read): Promise<T> => {
    const meta = await newestMeta(read, bad);
    const pages = pageReader(read, meta.pageSize, bad);
    return use({ entries: (bucket) => bucketEntries(pages, meta.root, bucket, bad) });
  };
  if (typeof source !== 'string') return work(async (at, length) => source.subarray(at, at + length));
  const handle = await open(source, 'r');
  try {
    return await work(
      blockReader(async (at, length) => {
        const buffer = Buffer.alloc(length);
        const { bytesRead } = await handle.read(buffer, 0, length, at);
        return buffer.subarray(0, bytesRead);
      }),
    );
  } finally {
    await handle.close();
  }
}

type Read = (at: number, length: number) => Promise<Buffer>;
type Bad = (why: string) => KeelsonError;
type PageReader = (id: number) => Promise<Page>;

/** Pages are read in blocks, the last of which are kept: neighbours in the tree lie near each other. */
function blockReader(read: Read): Read {
  const blocks = new Map<number, Buffer>();
  const block = async (index: number): Promise<Buffer> => {
    const known = blocks.get(index);
    if (known !== undefined) return known;
    const bytes = await read(index * BLOCK_BYTES, BLOCK_BYTES);
    if (blocks.size >= KEPT_BLOCKS) {
      const [oldest] = blocks.keys();
      if (oldest !== undefined) blocks.delete(oldest);
    }
    blocks.set(index, bytes);
    return bytes;
  };
  return async (at, length) => {
    const index = Math.floor(at / BLOCK_BYTES);
    const offset = at - index * BLOCK_BYTES;
    if (offset + length > BLOCK_BYTES) return read(at, length);
    return (await block(index)).subarray(offset, offset + length);
  };
}

/** There are two meta pages, of which one may be half written; the newer sound one counts. */
async function newestMeta(read: Read, bad: Bad): Promise<{ pageSize: number; root: number }> {
  const first = metaOf(await read(0, 80));
  const sizes = first === null ? [4096, 8192, 16_384, 65_536] : [first.pageSize];
  const found = [first, ...(await Promise.all(sizes.map(async (size) => metaOf(await read(size, 80)))))];
  const [newest] = found.filter((meta) => meta !== null).sort((a, b) => Number(b.txid - a.txid));
  if (newest === undefined) throw bad('it has no valid meta page');
  return newest;
}

function metaOf(bytes: Buffer): { pageSize: number; root: number; txid: bigint } | null {
  if (bytes.length < PAGE_HEADER + 64) return null;
  const meta = bytes.subarray(PAGE_HEADER);
  if (meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== VERSION) return null;
  if (fnv1a(meta.subarray(0, 56)) !== meta.readBigUInt64LE(56)) return null;
  return {
    pageSize: meta.readUInt32LE(8),
    root: Number(meta.readBigUInt64LE(16)),
    txid: meta.readBigUInt64LE(48),
  };
}

function fnv1a(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

function pageReader(read: Read, pageSize: number, bad: Bad): PageReader {
  return async (id) => {
    const head = await read(id * pageSize, PAGE_HEADER);
    if (head.length < PAGE_HEADER) throw bad(`page ${id} is beyond its end`);
    if (Number(head.readBigUInt64LE(0)) !== id) throw bad(`page ${id} is another one`);
    const length = (head.readUInt32LE(12) + 1) * pageSize;
    const bytes = await read(id * pageSize, length);
    if (bytes.length < length) throw bad(`page ${id} is cut off`);
    return { flags: head.readUInt16LE(8), count: head.readUInt16LE(10), bytes };
  };
}

async function* bucketEntries(
  pages: PageReader,
  root: number,
  bucket: string,
  bad: Bad,
): AsyncGenerator<BoltEntry, void, void> {
  const name = Buffer.from(bucket);
  for await (const element of tree(pages, await pages(root), bad)) {
    if (!element.bucket || !element.key.equals(name)) continue;
    const id = Number(element.value.readBigUInt64LE(0));
    // A small bucket lies within its parent.
    const page = id === 0 ? inlinePage(element.value) : await pages(id);
    for await (const { key, value } of tree(pages, page, bad)) yield { key, value };
  }
}

function inlinePage(value: Buffer): Page {
  const bytes = value.subarray(BUCKET_HEADER);
  return { flags: bytes.readUInt16LE(8), count: bytes.readUInt16LE(10), bytes };
}

async function* tree(
  pages: PageReader,
  page: Page,
  bad: Bad,
  depth = 0,
): AsyncGenerator<Element, void, void> {
  if (depth > MAX_DEPTH) throw bad('its tree has no end');
  const { flags, count, bytes } = page;
  for (let index = 0; index < count; index += 1) {
    const at = PAGE_HEADER + index * ELEMENT;
    if (flags === BRANCH) {
      const id = Number(bytes.readBigUInt64LE(at + 8));
      yield* tree(pages, await pages(id), bad, depth + 1);
    } else if (flags === LEAF) {
      const start = at + bytes.readUInt32LE(at + 4);
      const middle = start + bytes.readUInt32LE(at + 8);
      const end = middle + bytes.readUInt32LE(at + 12);
      if (end > bytes.length) throw bad('an entry leaves its page');
      const bucket = (bytes.readUInt32LE(at) & BUCKET_ELEMENT) !== 0;
      yield { bucket, key: bytes.subarray(start, middle), value: bytes.subarray(middle, end) };
    } else throw bad(`a page in its tree is none of the tree (flags ${flags})`);
  }
}
