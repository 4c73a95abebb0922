import { posix } from 'node:path';
import type { OpenSnapshot } from '../../backup/open-snapshot.js';
import { fileTime } from '../../backup/snapshot-name.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { RUNS } from '../../phases/pod-processes.js';
import type { Session } from '../session.js';
import { type MemberSurvey, WORK_DIR } from './survey.js';
import { etcdutl } from './tools.js';

/**
 * So many revisions are skipped, and all before them are marked as compacted: whoever watches with an older one is
 * told to list everything anew. More than a cluster writes between a snapshot and its restoration.
 */
const BUMP_REVISIONS = 1_000_000_000;

/** A database needs room for the snapshot, for what becomes of it, and for its log (64 MB at first). */
const SPACE_FACTOR = 2;
const SPACE_BYTES = 200 * 1024 * 1024;

export interface NewMember {
  name: string;
  peerURL: string;
}

export interface NewCluster {
  members: readonly NewMember[];
  /** Members of another token, such as those of before, are strangers. */
  token: string;
}

/** Room that a data directory needs beside what is there, bytes. */
export const neededBytes = (snapshotBytes: number): number => snapshotBytes * SPACE_FACTOR + SPACE_BYTES;

/** The folder that the old data is kept in, beside the new. */
export function keptAs(dataDir: string, run: 'restore' | 'recover', at: number): string {
  return posix.join(dataDir, `member.before-${run}-${fileTime(at)}`);
}

/** Makes a new data directory ready beside the old one, from a snapshot. etcd may run meanwhile. */
export async function stageSnapshot(
  session: Session,
  host: Host,
  member: MemberSurvey,
  snapshot: Pick<OpenSnapshot, 'content'>,
  cluster: NewCluster,
): Promise<void> {
  const work = posix.join(member.dataDir, WORK_DIR);
  const path = posix.join(work, 'snapshot.db');
  await host.remove([work]);
  await host.put([{ path, content: snapshot.content, mode: 0o600, dirMode: 0o700 }], {
    signal: session.context.signal,
  });
  await build(session, host, member, [path], cluster);
}

/** Makes a new data directory ready from the database of a member that is stopped. */
export async function stageDatabase(
  session: Session,
  host: Host,
  member: MemberSurvey,
  cluster: NewCluster,
): Promise<void> {
  const { dataDir } = member;
  await host.remove([posix.join(dataDir, WORK_DIR)]);
  await host.exec(['mkdir', '-m', '0700', posix.join(dataDir, WORK_DIR)]);
  const path = posix.join(dataDir, 'member/snap/db');
  await build(session, host, member, [path, '--skip-hash-check'], cluster);
}

async function build(
  session: Session,
  host: Host,
  member: MemberSurvey,
  source: readonly string[],
  { members, token }: NewCluster,
): Promise<void> {
  const work = posix.join(member.dataDir, WORK_DIR);
  await etcdutl(session, host, member, [
    'snapshot',
    'restore',
    ...source,
    '--data-dir',
    posix.join(work, 'data'),
    '--name',
    member.name,
    '--initial-cluster',
    members.map(({ name, peerURL }) => `${name}=${peerURL}`).join(','),
    '--initial-cluster-token',
    token,
    '--initial-advertise-peer-urls',
    member.peerURL,
    '--bump-revision',
    String(BUMP_REVISIONS),
    '--mark-compacted',
  ]);
  await host.put([{ path: posix.join(work, 'ready'), content: Buffer.from(''), mode: 0o600 }]);
}

/**
 * Puts a directory that is ready in the place of the old one, which stays beside it. Arguments: data directory, name
 * for the old one. Exit codes: 4 etcd runs, 5 nothing is ready.
 */
const SWAP = `${RUNS}if runs etcd; then exit 4; fi
set -e
cd "$1"
[ -e ${WORK_DIR}/ready ] || exit 5
if [ -e member ]; then mv member "$2"; fi
mv ${WORK_DIR}/data/member member
sync
rm -rf ${WORK_DIR}
`;

/** The same where an earlier run got as far as the first move. Arguments: data directory. */
export const SETTLE = `cd "$1" 2>/dev/null || exit 0
[ -e ${WORK_DIR}/ready ] && [ ! -e member ] && [ -e ${WORK_DIR}/data/member ] || exit 0
mv ${WORK_DIR}/data/member member && sync && rm -rf ${WORK_DIR}
`;

/** Puts away what a member has, so that it can join anew. Arguments: data directory, name for it. */
export const PUT_AWAY = `set -e
cd "$1" 2>/dev/null || exit 0
rm -rf ${WORK_DIR}
if [ -e member ]; then mv member "$2"; fi
sync
`;

/** @throws CONFLICT where etcd runs or nothing is ready */
export async function swapData(host: Host, dataDir: string, kept: string): Promise<void> {
  const { code } = await host.script(
    { name: 'etcd/swap', text: SWAP, args: [dataDir, kept] },
    { acceptCodes: [0, 4, 5], timeoutMs: 300_000 },
  );
  if (code === 0) return;
  throw new KeelsonError(
    'CONFLICT',
    code === 4 ? 'etcd was started again meanwhile' : 'no new data is ready',
    {
      host: host.name,
      hint: 'see who else works on this cluster; then run this again',
    },
  );
}
