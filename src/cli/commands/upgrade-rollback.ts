import { loadBundle } from '../../bundle/bundle.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { etcdImage } from '../../manifests/image-names.js';
import type { UpgradeRecord } from '../../workflows/upgrade/record.js';
import { rollbackUpgrade, storeObstacle, wayBack } from '../../workflows/upgrade/rollback.js';
import { tagOf } from '../../workflows/upgrade/versions.js';
import { writeVersion } from '../cluster-file.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { RUN_OPTIONS, resultText, runOptions } from '../upgrade-run.js';
import { upgradeTarget } from '../upgrade-target.js';

export const command = defineCommand({
  name: 'upgrade rollback',
  summary: 'take the last upgrade back',
  details: `Add-ons, workers and control planes go back to the version before, from what was kept on the hosts. Everything that
was written since stays: etcd keeps its data. Where the version before could not read them, nothing is done, and the way
by the snapshot from before the upgrade is shown, with what it would lose.`,
  options: {
    ...CLUSTER_OPTIONS,
    bundle: {
      flags: '--bundle <dir>',
      description: 'bundle of the version before (default the one that was in use then)',
      kind: 'string',
    },
    ...RUN_OPTIONS,
  },
  run: async ({ options, io, global }) => {
    const current = await clusterConfig(options.config, io);
    const run = runOptions(options, current, io);
    if (!options.yes && !io.terminal) {
      throw new KeelsonError('USAGE', 'a rollback is to be confirmed, and there is no terminal to ask on', {
        hint: 'give --yes',
      });
    }
    const way = await withSession(options, io, global, ({ session }) => wayBack(session), {
      config: current,
      bundleOptional: true,
      quiet: true,
      hosts: [],
    });
    const bundle = options.bundle ?? (await usable(way));
    const target = await upgradeTarget({ config: options.config, to: way.to, bundle }, io);
    refuseUnreadable(way, etcdTagOf(current), etcdTagOf(target.config));
    const question = `Take ${current.name} back from ${way.from} to ${way.to}? Nothing in etcd is lost.`;
    if (!options.yes && !(await io.confirm(question)))
      throw new KeelsonError('ABORTED', 'nothing was changed');
    const result = await withSession(
      options,
      io,
      global,
      ({ session }) =>
        rollbackUpgrade(session, {
          ...run,
          snapshotDirectory: null,
          previousBundle: null,
        }),
      { config: target.config },
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

function refuseUnreadable(way: UpgradeRecord, from: string | null, to: string | null): void {
  const obstacle = storeObstacle(way, from === null || to === null ? null : { from, to });
  if (obstacle === null) return;
  const loss =
    way.snapshot === null
      ? 'no snapshot from before the upgrade is known'
      : `the snapshot from before the upgrade is ${way.snapshot}: whatever was written since would be lost`;
  throw new KeelsonError('CONFLICT', `${obstacle}; ${loss}`, {
    hint: `build the cluster anew with ${way.to} and restore the snapshot into it`,
  });
}
