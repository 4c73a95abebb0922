import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';

/** etcd ends a snapshot with the SHA-256 of all that comes before. */
const DIGEST_BYTES = 32;
/** Databases are whole pages, of at least so many bytes. */
const SECTOR_BYTES = 512;
const READ_BYTES = 1024 * 1024;

export interface SnapshotDigest {
  /** Bytes, the digest included. */
  size: number;
  /** Of the database, as the snapshot ends with it; hex. */
  sha256: string;
  /** Of all bytes, the digest included; hex. */
  fileSha256: string;
}

/**
 * Passes a snapshot's bytes on as they come, and looks at its digest when they end.
 * @param name of the snapshot, for errors
 * @param size bytes that have to come, where that is known
 * @throws VERIFY where the bytes are not those that etcd sent; whoever takes them must then throw them away
 */
export async function* checkedSnapshot(
  chunks: AsyncIterable<Buffer>,
  name: string,
  size: number | null = null,
): AsyncGenerator<Buffer, SnapshotDigest, void> {
  const hash = createHash('sha256');
  let tail: Buffer = Buffer.alloc(0);
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.length;
    const all = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
    const body = Math.max(0, all.length - DIGEST_BYTES);
    hash.update(all.subarray(0, body));
    // A copy, since the chunk's memory may be another's by the time the next one comes.
    tail = Buffer.from(all.subarray(body));
    yield chunk;
  }
  if (size !== null && seen !== size) throw damaged(name, `it has ${seen} of ${size} bytes`);
  if (seen % SECTOR_BYTES !== DIGEST_BYTES) throw noDigest(name, seen);
  const fileSha256 = hash.copy().update(tail).digest('hex');
  const sha256 = hash.digest('hex');
  if (sha256 !== tail.toString('hex')) throw damaged(name, 'its digest does not fit its content');
  return { size: seen, sha256, fileSha256 };
}

/**
 * Reads a snapshot from end to end and compares its digest.
 * @throws VERIFY for a damaged one, USAGE for what can't be read
 */
export async function checkSnapshotFile(path: string): Promise<SnapshotDigest> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new KeelsonError('USAGE', `${path} can't be read`, { cause, hint: 'name a snapshot file' });
  });
  if (!found.isFile())
    throw new KeelsonError('USAGE', `${path} is no file`, { hint: 'name a snapshot file' });
  const chunks = checkedSnapshot(createReadStream(path, { highWaterMark: READ_BYTES }), path);
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return next.value;
  }
}

function damaged(name: string, why: string): KeelsonError {
  return new KeelsonError('VERIFY', `the snapshot ${name} is damaged: ${why}`, {
    hint: 'take another one; a damaged snapshot can’t be trusted with a cluster',
  });
}

function noDigest(name: string, size: number): KeelsonError {
  if (size === 0 || size % SECTOR_BYTES !== 0) return damaged(name, `no snapshot has ${size} bytes`);
  return new KeelsonError(
    'VERIFY',
    `${name} has no digest at its end, so nobody can tell whether it is whole`,
    {
      hint: 'it may be a database out of a data directory; take snapshots with keelson etcd snapshot or etcdctl snapshot save',
    },
  );
}
