import type { OpenSnapshot } from '../../backup/open-snapshot.js';
import { CONTAINERD_UNIT } from '../../manifests/containerd.js';
import { etcdImage } from '../../manifests/image-names.js';
import { ASIDE_DIR } from '../../phases/paths.js';
import { type RestoreResult, restoreEtcd } from '../etcd/restore.js';
import { refuseLocked, withLock } from '../lock.js';
import { observeTrust } from '../require.js';
import type { Session } from '../session.js';
import { previousOf, restorePrevious, STATIC_PODS } from './keep.js';
import type { UpgradeOptions } from './options.js';
import type { Hop } from './path.js';
import { refusePaused } from './pause.js';
import { type UpgradeRecord, writeRecord } from './record.js';
import { wayBackTo } from './rollback.js';
import { stepJournal } from './run.js';
import { stage } from './stage.js';

/**
 * The part of a rollback that an etcd whose data the version before can't read takes: all control planes stop at
 * once, etcd gets the snapshot from before the upgrade, and everything starts in the version before. What was
 * written since is lost. What is left to do is an ordinary rollback's. Interrupted anywhere, it is run again.
 * @param session of the cluster file with the version to go back to, and its bundle
 * @returns null where it was done already
 */
export async function restoreForRollback(
  session: Session,
  options: Pick<UpgradeOptions, 'owner' | 'stop'> & { snapshot: OpenSnapshot },
): Promise<RestoreResult | null> {
  const { config, inventory } = session.context;
  await refuseLocked(session);
  await refusePaused(session);
  const run = 'upgrade rollback';
  const record = await withLock(session, { owner: options.owner, run }, async () => {
    await observeTrust(session);
    const way: UpgradeRecord = { restore: 'pending', ...(await wayBackTo(session)) };
    if (way.restore === 'done') return way;
    await writeRecord(session, way);
    const hop = { from: way.from, to: way.to };
    const stop = options.stop ?? new AbortController().signal;
    const step = { session, hop, journal: stepJournal(session, 'rollback'), stop, window: null };
    await stage(
      { ...step, direction: 'rollback' },
      inventory.map(({ name }) => name),
    );
    return way;
  });
  if (record.restore === 'done') return null;
  // What was kept on a host was kept for the upgrade, before it changed the host.
  const upgrade: Hop = { from: record.to, to: record.from };
  const result = await restoreEtcd(session, {
    snapshot: options.snapshot,
    owner: options.owner,
    image: etcdImage(config.cluster),
    whileStopped: (name) => putBack(session, name, upgrade),
  });
  await withLock(session, { owner: options.owner, run }, () =>
    writeRecord(session, { ...record, restore: 'done' }),
  );
  return result;
}

/** A control plane that is stopped gets the programs, configuration and manifests that it had before the upgrade. */
async function putBack({ effects }: Session, name: string, upgrade: Hop): Promise<void> {
  const host = effects.host(name);
  const previous = await previousOf(host, upgrade);
  if (previous === null) return;
  const texts = await restorePrevious(host, previous);
  await host.service('daemon-reload');
  if (texts.some((path) => path.includes('containerd'))) await host.service('restart', CONTAINERD_UNIT);
  const aside = (pod: string) => `${ASIDE_DIR}/${pod}.yaml`;
  await host.remove(STATIC_PODS.filter((pod) => !previous.manifests.has(pod)).map(aside));
  await host.put(
    [...previous.manifests].map(([pod, content]) => ({
      path: aside(pod),
      content,
      mode: 0o600,
      dirMode: 0o700,
    })),
  );
}
