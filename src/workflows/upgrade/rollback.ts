import { KeelsonError } from '../../errors/keelson-error.js';
import { refuseLocked, withLock } from '../lock.js';
import { observeTrust } from '../require.js';
import type { Session } from '../session.js';
import { reachPlanes } from './apply.js';
import type { UpgradeOptions, UpgradeResult } from './options.js';
import { minorsBetween, parseVersion } from './path.js';
import { refusePaused } from './pause.js';
import { readRecord, type UpgradeRecord } from './record.js';
import { runStep } from './step.js';

/**
 * The way back that a cluster has: of the last upgrade, done or under way, or of a rollback that is under way.
 * @throws CONFLICT where there is nothing to take back
 */
export async function wayBack(session: Session): Promise<UpgradeRecord> {
  const record = await readRecord(session);
  if (record?.direction === 'rollback' && record.state === 'under-way') return record;
  if (record?.direction !== 'upgrade') {
    const why =
      record === null
        ? 'no upgrade was made, or the control planes that know of it are gone'
        : `the last one, from ${record.to} to ${record.from}, was taken back already`;
    throw new KeelsonError('CONFLICT', `there is no upgrade to take back: ${why}`, {
      hint: 'keelson status shows what runs',
    });
  }
  return { ...record, from: record.to, to: record.from, direction: 'rollback', state: 'under-way' };
}

/** The way back, to the session's version. @throws CONFLICT where it leads elsewhere by now */
export async function wayBackTo(session: Session): Promise<UpgradeRecord> {
  const record = await wayBack(session);
  const version = session.context.config.cluster.kubernetesVersion;
  if (record.to === version) return record;
  throw new KeelsonError('CONFLICT', `the way back is to ${record.to}, not to ${version}`, {
    hint: 'somebody else has upgraded meanwhile: run keelson upgrade rollback again',
  });
}

/** Minor of a tag such as `3.6.8-0`. */
const etcdMinor = (tag: string): string => tag.replace(/^v/, '').split('.').slice(0, 2).join('.');

/**
 * Why what is in etcd cannot be read by the version to go back to; null where it can. An API server writes what the
 * one a minor before it reads (kubernetes.io/docs/concepts/overview/working-with-objects/storage-version), and etcd
 * changes its format with its minor version.
 */
export function storeObstacle(
  { from, to }: { from: string; to: string },
  etcd: { from: string; to: string } | null,
): string | null {
  if (parseVersion(from).major !== parseVersion(to).major || minorsBetween(to, from) > 1)
    return `what an API server of ${from} has written is not made for one of ${to}, more than a minor older`;
  if (etcd !== null && etcdMinor(etcd.from) !== etcdMinor(etcd.to))
    return `the data of etcd ${etcd.from} are not made for etcd ${etcd.to}`;
  return null;
}

/**
 * Takes the last upgrade back: add-ons, workers, then control planes, each with its kubelet first. etcd keeps its
 * data, so nothing is lost. Interrupted anywhere, the same call goes on.
 * @param session of the cluster file with the version to go back to, and its bundle
 * @throws CONFLICT where there is nothing to take back; otherwise as `applyUpgrade`
 */
export async function rollbackUpgrade(session: Session, options: UpgradeOptions): Promise<UpgradeResult> {
  await reachPlanes(session);
  await refuseLocked(session);
  await refusePaused(session);
  return withLock(session, { owner: options.owner, run: 'upgrade rollback' }, async () => {
    await observeTrust(session);
    const record = await wayBackTo(session);
    if (record.restore !== 'pending') return runStep(session, record, options);
    throw new KeelsonError('CONFLICT', 'etcd is on its way back to the snapshot from before the upgrade', {
      hint: 'end that first: keelson upgrade rollback --restore-snapshot',
    });
  });
}
