import { resolve } from 'node:path';
import { type OpenSnapshot, openSnapshot } from '../../backup/open-snapshot.js';
import { loadBundle } from '../../bundle/bundle.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { etcdImage } from '../../manifests/image-names.js';
import { prepareRestore } from '../../workflows/etcd/restore-plan.js';
import type { UpgradeRecord } from '../../workflows/upgrade/record.js';
import { rollbackUpgrade, storeObstacle, wayBack } from '../../workflows/upgrade/rollback.js';
import { restoreForRollback } from '../../workflows/upgrade/rollback-restore.js';
import { tagOf } from '../../workflows/upgrade/versions.js';
import { writeVersion } from '../cluster-file.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { requireAnswer } from '../confirmation.js';
import { DECRYPT_OPTIONS, decryptionOf } from '../encryption-options.js';
import { restorePlanText } from '../restore-text.js';
import { chosenHosts, RUN_OPTIONS, resultText, runOptions } from '../upgrade-run.js';
import { upgradeTarget } from '../upgrade-target.js';

export const command = defineCommand({
  name: 'upgrade rollback',
  summary: 'take the last upgrade back',
  details: `Add-ons, workers and control planes go back to the version before, from what was kept on the hosts. Everything that
was written since stays: etcd keeps its data. Where the version before could not read them, or with --restore-snapshot,
all control planes stop at once and etcd gets the snapshot from before the upgrade: what that loses is shown first, and
whoever does not want to be asked has to say --restore-snapshot beside --yes.`,
  options: {
    ...CLUSTER_OPTIONS,
    bundle: {
      flags: '--bundle <dir>',
      description: 'bundle of the version before (default the one that was in use then)',
      kind: 'string',
    },
    restoreSnapshot: {
      flags: '--restore-snapshot',
      description: 'etcd too goes back to before the upgrade: what was written since is lost',
      kind: 'boolean',
    },
    snapshot: {
      flags: '--snapshot <file>',
      description: 'the snapshot for that (default the one that the upgrade took)',
      kind: 'string',
    },
    ...DECRYPT_OPTIONS,
    ...RUN_OPTIONS,
  },
  run: async ({ options, io, global }) => {
    const current = await clusterConfig(options.config, io);
    const run = runOptions(options, current, io);
    requireAnswer(options, io, 'a rollback is to be confirmed', 'give --yes');
    const way = await withSession({ options, io, global }, ({ session }) => wayBack(session), {
      config: current,
      bundleOptional: true,
      quiet: true,
      hosts: [],
    });
    const bundle = options.bundle ?? (await usable(way));
    const target = await upgradeTarget({ config: options.config, to: way.to, bundle }, io);
    const obstacle = obstacleOf(way, etcdTagOf(current), etcdTagOf(target.config));
    const wanted = way.restore === 'pending' || options.restoreSnapshot;
    const due = way.restore !== 'done' && (wanted || obstacle !== null);
    if (due && options.yes && !wanted) {
      throw new KeelsonError('USAGE', `${obstacle}; only the snapshot from before the upgrade leads back`, {
        hint: 'what was written since would be lost: give --restore-snapshot beside --yes, or leave --yes out and be asked',
      });
    }
    const restored: OpenSnapshot | null = due
      ? await openSnapshot(snapshotOf(way, options.snapshot, io.cwd), () => decryptionOf(options, io))
      : null;
    if (restored !== null) {
      const plan = await withSession(
        { options, io, global },
        async ({ session }) => (await prepareRestore(session, restored)).plan,
        { config: current, tolerant: true, bundleOptional: true, quiet: true },
      );
      if (obstacle !== null) io.stderr.write(`keelson: ${obstacle}\n`);
      io.stderr.write(restorePlanText(plan));
    }
    if (!options.yes) {
      const loss =
        restored === null ? 'Nothing in etcd is lost.' : 'What was written since the snapshot is lost.';
      if (!(await io.confirm(`Take ${current.name} back from ${way.from} to ${way.to}? ${loss}`)))
        throw new KeelsonError('ABORTED', 'nothing was changed');
    }
    const result = await withSession(
      { options, io, global },
      async ({ session }) => {
        const settings = { ...run, snapshotDirectory: null, previousBundle: null };
        if (restored !== null) await restoreForRollback(session, { ...settings, snapshot: restored });
        return rollbackUpgrade(session, settings);
      },
      // A restore is for all control planes at once.
      { config: target.config, ...(restored === null ? chosenHosts(run) : {}) },
    );
    if (result.complete) await writeVersion(options.config, target.text, way.to, io);
    return { data: result, text: resultText(result) };
  },
});

type Config = Awaited<ReturnType<typeof clusterConfig>>;

/** Tag of the etcd that keelson runs; null where it runs none. */
function etcdTagOf({ cluster }: Config): string | null {
  return cluster.etcd.local === undefined && cluster.etcd.members === undefined
    ? null
    : tagOf(etcdImage(cluster));
}

/** The bundle that was in use before, where it is still there. */
async function usable({ bundle, to }: UpgradeRecord): Promise<string | undefined> {
  if (bundle === null) return undefined;
  const found = await loadBundle(bundle).catch(() => null);
  return found?.lock.kubernetesVersion === to ? bundle : undefined;
}

function obstacleOf(way: UpgradeRecord, from: string | null, to: string | null): string | null {
  return storeObstacle(way, from === null || to === null ? null : { from, to });
}

/** @throws CONFLICT where none was taken and none is given */
function snapshotOf({ snapshot, to }: UpgradeRecord, given: string | undefined, cwd: string): string {
  if (given !== undefined) return resolve(cwd, given);
  if (snapshot !== null) return snapshot;
  throw new KeelsonError('CONFLICT', 'no snapshot from before the upgrade is known', {
    hint: `name one that was taken at ${to} with --snapshot FILE`,
  });
}
