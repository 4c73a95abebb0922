import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import tar from 'tar-stream';
import { type TarFile, tarStream } from '../archive/tar.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { type SnapshotContents, snapshotContents } from './contents.js';
import { type Decryption, decrypted, isEncrypted } from './encryption.js';
import { fileHead } from './file-head.js';
import { checkedSnapshot, type SnapshotDigest } from './snapshot-file.js';

/** What a backup says of itself: its first file, `backup.json`. */
export interface BackupIndex {
  formatVersion: 1;
  cluster: string;
  /** ISO 8601. */
  createdAt: string;
  kubernetesVersion: string;
  /** Revision of etcd that the snapshot holds at least, and the member that it was taken from. */
  revision: number;
  member: string;
  /** Everything but the snapshot, by its name in the archive. */
  files: { name: string; size: number; sha256: string }[];
}

export interface BackupPart {
  name: string;
  content: Buffer;
}

const INDEX_NAME = 'backup.json';
export const SNAPSHOT_NAME = 'etcd/snapshot.db';
export const CLUSTER_FILE_NAME = 'cluster.yaml';
/** Files of a host lie below it and the host's name. */
export const HOSTS_FOLDER = 'hosts';

/**
 * A backup as a tar archive: its index, files, and at the end the snapshot as it arrives.
 * @param snapshot bytes with their digest at the end, and how many they are
 */
export function backupArchive(
  about: Omit<BackupIndex, 'formatVersion' | 'files'>,
  parts: readonly BackupPart[],
  snapshot: { chunks: AsyncIterable<Buffer>; size: number },
): AsyncGenerator<Buffer> {
  const files = parts.map(({ name, content }) => ({ name, size: content.length, sha256: sha256(content) }));
  const index: BackupIndex = { formatVersion: 1, ...about, files };
  const mtime = new Date(about.createdAt);
  const entry = (name: string, content: TarFile['content']): TarFile => ({
    header: { name, mode: 0o600, mtime, uid: 0, gid: 0 },
    content,
  });
  return tarStream([
    entry(INDEX_NAME, Buffer.from(`${JSON.stringify(index, null, 2)}\n`)),
    ...parts.map(({ name, content }) => entry(name, content)),
    entry(SNAPSHOT_NAME, snapshot),
  ]);
}

/** A backup that was read from end to end. */
export interface OpenBackup {
  index: BackupIndex;
  files: ReadonlyMap<string, Buffer>;
  snapshot: { content: Buffer; digest: SnapshotDigest; contents: SnapshotContents };
}

/**
 * Decrypts a backup in memory and checks all of it: every file by the index, the snapshot by its digest and its
 * database.
 * @param key asked for only where the file is encrypted
 * @throws USAGE for what is no backup and a key that does not fit, VERIFY for what is damaged or missing
 */
export async function openBackup(file: string, key: () => Promise<Decryption>): Promise<OpenBackup> {
  if (!isEncrypted((await fileHead(file, 'backup')).head)) {
    throw new KeelsonError('USAGE', `${file} is no backup: those are encrypted in the format of age`, {
      hint: 'name a file that keelson backup wrote',
    });
  }
  const decryption = await key();
  const files = new Map<string, Buffer>();
  let snapshot: { content: Buffer; digest: SnapshotDigest } | undefined;
  const extract = tar.extract();
  const source = Readable.from(decrypted(createReadStream(file), decryption, file), { objectMode: false });
  source.on('error', (error) => extract.destroy(error));
  source.pipe(extract);
  for await (const entry of extract) {
    const bytes = entry as unknown as AsyncIterable<Buffer>;
    if (entry.header.name === SNAPSHOT_NAME) snapshot = await readSnapshot(bytes, file);
    else files.set(entry.header.name, await readAll(bytes));
  }
  const damaged = (why: string) => new KeelsonError('VERIFY', `the backup ${file} is damaged: ${why}`);
  const index = indexOf(files.get(INDEX_NAME), damaged);
  for (const { name, sha256: expected } of index.files) {
    const content = files.get(name);
    if (content === undefined) throw damaged(`${name} is missing`);
    if (sha256(content) !== expected) throw damaged(`${name} is not what it was`);
  }
  if (snapshot === undefined) throw damaged('it has no snapshot');
  const contents = await snapshotContents(snapshot.content, `the snapshot in ${file}`);
  return { index, files, snapshot: { ...snapshot, contents } };
}

async function readSnapshot(bytes: AsyncIterable<Buffer>, file: string) {
  const chunks = checkedSnapshot(bytes, `in ${file}`);
  const all: Buffer[] = [];
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return { content: Buffer.concat(all), digest: next.value };
    all.push(next.value);
  }
}

async function readAll(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of bytes) all.push(chunk);
  return Buffer.concat(all);
}

function indexOf(bytes: Buffer | undefined, damaged: (why: string) => KeelsonError): BackupIndex {
  if (bytes === undefined) throw damaged(`it has no ${INDEX_NAME}`);
  const index = JSON.parse(bytes.toString()) as BackupIndex;
  if (index.formatVersion === 1) return index;
  throw new KeelsonError(
    'USAGE',
    `the backup has format ${String(index.formatVersion)}, this keelson reads 1`,
  );
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
