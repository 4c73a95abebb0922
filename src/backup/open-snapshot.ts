import { constants } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { type SnapshotContents, snapshotContents } from './contents.js';
import { type Decryption, decrypted, isEncrypted } from './encryption.js';
import { fileHead } from './file-head.js';
import { checkedSnapshot, checkSnapshotFile, type SnapshotDigest } from './snapshot-file.js';
import { parseSnapshotName } from './snapshot-name.js';

/** A snapshot whose digest fits, and whose database was walked. */
export interface OpenSnapshot {
  file: string;
  /** The plain snapshot: the file itself, or, of an encrypted one, its bytes in memory. */
  content: Buffer | { localPath: string; size: number; sha256: string };
  digest: SnapshotDigest;
  contents: SnapshotContents;
  /** When it was taken, milliseconds since the epoch: by its name, else when the file was written. */
  takenAt: number;
  /** The cluster that its name says; null for a name that keelson did not give. */
  cluster: string | null;
}

const READ_BYTES = 1024 * 1024;

/**
 * Checks a snapshot from end to end. An encrypted one is decrypted in memory, never onto a disk.
 * @param key asked for only where the file is encrypted
 * @throws USAGE for what can't be read or decrypted, VERIFY for what is damaged
 */
export async function openSnapshot(file: string, key: () => Promise<Decryption>): Promise<OpenSnapshot> {
  const name = basename(file);
  const known = parseSnapshotName(name);
  const { head, size, mtimeMs } = await fileHead(file, 'snapshot');
  const common = { file, takenAt: known?.at ?? mtimeMs, cluster: known?.cluster ?? null };
  if (!isEncrypted(head)) {
    const digest = await checkSnapshotFile(file);
    const content = { localPath: file, size: digest.size, sha256: digest.fileSha256 };
    return { ...common, content, digest, contents: await snapshotContents(file) };
  }
  if (size > constants.MAX_LENGTH) {
    throw new KeelsonError('USAGE', `${file} is too large to be decrypted in memory`, {
      hint: 'decrypt it with age --decrypt, and name the plain file',
    });
  }
  const chunks = createReadStream(file, { highWaterMark: READ_BYTES });
  const { content, digest } = await inMemory(checkedSnapshot(decrypted(chunks, await key(), name), name));
  return { ...common, content, digest, contents: await snapshotContents(content, name) };
}

async function inMemory(
  chunks: AsyncGenerator<Buffer, SnapshotDigest, void>,
): Promise<{ content: Buffer; digest: SnapshotDigest }> {
  const all: Buffer[] = [];
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return { content: Buffer.concat(all), digest: next.value };
    all.push(next.value);
  }
}
