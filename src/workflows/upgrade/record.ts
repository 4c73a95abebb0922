import { STATE_DIR } from '../../engine/journal.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { lockHosts } from '../lock.js';
import type { Session } from '../session.js';

/** On every control plane that could be reached: which step is under way, or was the last. */
const RECORD_PATH = `${STATE_DIR}/upgrade.json`;

export interface UpgradeRecord {
  formatVersion: 1;
  from: string;
  to: string;
  /** `rollback` takes back the upgrade from `to` to `from`: then `from` is the newer one. */
  direction: 'upgrade' | 'rollback';
  state: 'under-way' | 'done';
  /** ISO 8601, of the last change of this record. */
  at: string;
  /** Snapshot of etcd on the operator's machine from before the step; null where none was taken. */
  snapshot: string | null;
  /** The bundle of the version before, on the operator's machine. */
  bundle: string | null;
  /** Of a rollback that takes etcd back to the snapshot too: whether that is done. */
  restore?: 'pending' | 'done';
  /** It was done before, and is made again for hosts that are behind. */
  again?: true;
}

/** The newest record that any control plane has; null where none has one. */
export async function readRecord(session: Session): Promise<UpgradeRecord | null> {
  const records = await Promise.all(
    lockHosts(session).map(async (host) => {
      const seen = await host.read({ files: [RECORD_PATH] });
      const text = seen.files.get(RECORD_PATH)?.content?.toString();
      return text === undefined ? null : recordIn(text, host.name);
    }),
  );
  const [newest] = records.filter((record) => record !== null).sort((a, b) => (a.at < b.at ? 1 : -1));
  return newest ?? null;
}

/**
 * The upgrade that has led to a version, where that is to be made again: a host that is behind follows, and the way
 * back stays known. null where another step is to be taken, or none has led there. Pure.
 * @param from version that the cluster was last brought to as a whole
 */
export function stepAgain(
  known: UpgradeRecord | null,
  { from, to }: { from: string; to: string },
): UpgradeRecord | null {
  if (from !== to || known?.direction !== 'upgrade' || known.to !== to) return null;
  return { ...known, state: 'under-way', again: true };
}

function recordIn(text: string, host: string): UpgradeRecord {
  const record = JSON.parse(text) as UpgradeRecord;
  if (record.formatVersion === 1) return record;
  throw new KeelsonError('CONFLICT', `${RECORD_PATH} was written by another version of keelson`, {
    host,
    hint: 'use the keelson that began the upgrade',
  });
}

export async function writeRecord(
  session: Session,
  record: Omit<UpgradeRecord, 'formatVersion' | 'at'>,
): Promise<void> {
  const at = new Date(session.context.now()).toISOString();
  const content = Buffer.from(`${JSON.stringify({ formatVersion: 1, ...record, at }, null, 2)}\n`);
  const file = { path: RECORD_PATH, content, mode: 0o600, dirMode: 0o700 };
  await Promise.all(lockHosts(session).map((host) => host.put([file])));
}

export async function removeRecord(session: Session): Promise<void> {
  await Promise.all(lockHosts(session).map((host) => host.remove([RECORD_PATH])));
}

/**
 * Other runs would take half of the hosts back, or the rest of them along without a look.
 * @throws CONFLICT while an upgrade or rollback is under way
 */
export async function refuseUnderWay(session: Session): Promise<void> {
  const record = await readRecord(session);
  if (record?.state !== 'under-way') return;
  const { direction, from, to } = record;
  const name = direction === 'upgrade' ? 'an upgrade' : 'a rollback';
  const hint =
    direction === 'upgrade'
      ? `end it with keelson upgrade apply --to ${to}, or take it back with keelson upgrade rollback`
      : 'end it with keelson upgrade rollback';
  throw new KeelsonError('CONFLICT', `${name} from ${from} to ${to} is under way`, { hint });
}

/** The same step, ended. */
export function doneOf({ again: _, ...record }: UpgradeRecord): UpgradeRecord {
  return { ...record, state: 'done' };
}
