import type { SnapshotContents } from '../backup/contents.js';
import { type Encryption, encryption } from '../backup/encryption.js';
import { checkedSnapshot, type SnapshotDigest } from '../backup/snapshot-file.js';
import { expiredSnapshots, snapshotName } from '../backup/snapshot-name.js';
import { type SnapshotStream, withSnapshot } from '../cluster/etcd-snapshot.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { endpointOf, etcdDoor, etcdOn } from '../phases/etcd-access.js';
import type { EtcdMemberReport } from './etcd-problems.js';
import { etcdStatus } from './etcd-status.js';
import type { Session } from './session.js';
import type { SnapshotPlace } from './snapshot-place.js';

export interface SnapshotOptions {
  /** Where it goes. */
  place: SnapshotPlace;
  encryption?: Encryption;
  /** So many snapshots of this cluster stay there; default all. */
  keep?: number;
}

export interface SnapshotResult {
  cluster: string;
  /** Its path, or its address in a bucket. */
  file: string;
  /** The member that it was taken from. */
  member: string;
  /** Revision of etcd that it holds at least; that of the snapshot itself unless it is encrypted. */
  revision: number;
  /** Bytes of the snapshot, before encryption. */
  sizeBytes: number;
  /** Digest of the database, as etcd sent it and as it was compared. */
  sha256: string;
  encrypted: boolean;
  /** What the file holds; null for one that is encrypted or in a bucket, which is not read again. */
  contents: SnapshotContents | null;
  /** Older snapshots that were removed. */
  removed: string[];
  durationMs: number;
}

/** A snapshot on its way, and where it comes from. */
export interface TakenSnapshot extends SnapshotStream {
  member: string;
  /** What had been written when it began is in it. */
  revision: number;
}

/**
 * Takes a snapshot of the leading etcd member, or of the most advanced one that answers, and writes it to a new
 * file or object, once its digest has been compared. Nothing changes on the hosts.
 * @throws CONNECTION where no member answers, VERIFY for what arrived damaged, CONFLICT where the file exists
 */
export async function takeSnapshot(session: Session, options: SnapshotOptions): Promise<SnapshotResult> {
  const { context } = session;
  const cluster = context.config.name;
  const started = context.now();
  const encrypt = options.encryption === undefined ? null : await encryption(options.encryption);
  return withTakenSnapshot(session, async (snapshot) => {
    const { member, revision } = snapshot;
    const name = snapshotName({ cluster, at: started, revision, encrypted: encrypt !== null });
    const { place, keep } = options;
    const arrival = arriving(snapshot, member);
    const file = await place.write(name, encrypt === null ? arrival.chunks : encrypt(arrival.chunks));
    const { size, sha256 } = arrival.digest();
    const contents = encrypt === null ? await place.contents(name) : null;
    return {
      cluster,
      file,
      member,
      revision: contents?.revision ?? revision,
      sizeBytes: size,
      sha256,
      encrypted: encrypt !== null,
      contents,
      removed: keep === undefined ? [] : await removeExpired(place, cluster, keep),
      durationMs: context.now() - started,
    };
  });
}

/** Opens a snapshot of the leading member, or of the most advanced one that answers, for as long as `use` takes. */
export async function withTakenSnapshot<T>(
  session: Session,
  use: (snapshot: TakenSnapshot) => Promise<T>,
): Promise<T> {
  const { context } = session;
  const { members } = await etcdStatus(session);
  const member = snapshotSource(members);
  const own = member.host !== null && session.hosts.has(member.host);
  const [url] = member.clientURLs;
  const through = own && member.host !== null ? member.host : context.first.name;
  const endpoint = own || url === undefined ? undefined : endpointOf(url);
  const revision = await currentRevision(session, through, endpoint, member);
  const door = await etcdDoor(context, through, endpoint);
  return withSnapshot(door.reader, door.credentials, context.signal, door.endpoint, (snapshot) =>
    use({ ...snapshot, member: member.name, revision }),
  );
}

/**
 * The member to take a snapshot of: the leader; where there is none the most advanced one that answers.
 * @throws CONNECTION where no voting member answers
 */
export function snapshotSource(members: readonly EtcdMemberReport[]): EtcdMemberReport {
  const [source] = members
    .filter((member) => member.latencyMs !== null && !member.isLearner)
    .sort((a, b) => Number(b.isLeader) - Number(a.isLeader) || (b.revision ?? 0) - (a.revision ?? 0));
  if (source !== undefined) return source;
  throw new KeelsonError('CONNECTION', 'no voting etcd member answers', {
    hint: 'keelson etcd status shows why; keelson etcd recover brings back an etcd that lost its quorum',
  });
}

/** The member has everything that was acknowledged before this returns, unless there is no leader. */
async function currentRevision(
  { context }: Session,
  through: string,
  endpoint: Parameters<typeof etcdOn>[2],
  member: EtcdMemberReport,
): Promise<number> {
  const client = await etcdOn(context, through, endpoint);
  try {
    try {
      // Linearizable: answered once the member has caught up.
      await client.members();
    } catch (error) {
      if (!(error instanceof KeelsonError) || error.code === 'ABORTED') throw error;
      const text = `etcd has no leader: the snapshot has what ${member.name} knows, which may not be everything`;
      context.emit({ type: 'note', host: member.host ?? '', level: 'warning', text });
    }
    return (await client.status()).revision;
  } finally {
    await client.close();
  }
}

/** Chunks of a snapshot that is compared as it passes, and its digest once they have all passed. */
export function arriving(
  { chunks, size }: SnapshotStream,
  name: string,
): { chunks: AsyncIterable<Buffer>; digest: () => SnapshotDigest } {
  let digest: SnapshotDigest | undefined;
  const pass = async function* (): AsyncGenerator<Buffer, void, void> {
    digest = yield* checkedSnapshot(chunks, `of ${name}`, size);
  };
  return {
    chunks: pass(),
    digest: () => {
      if (digest === undefined) throw new KeelsonError('BUG', 'the digest is known only at the end');
      return digest;
    },
  };
}

async function removeExpired(place: SnapshotPlace, cluster: string, keep: number): Promise<string[]> {
  const expired = expiredSnapshots(await place.names(), cluster, keep);
  await place.remove(expired);
  return expired;
}
