import { KeelsonError } from '../../errors/keelson-error.js';
import { applyUpgrade } from '../../workflows/upgrade/apply.js';
import type { UpgradeResult } from '../../workflows/upgrade/options.js';
import { stepsTo } from '../../workflows/upgrade/steps-ahead.js';
import { writeVersion } from '../cluster-file.js';
import { clusterConfig, PREFLIGHT_OPTIONS, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { requireAnswer } from '../confirmation.js';
import { outputDirectory } from '../output-path.js';
import { chosenHosts, RUN_OPTIONS, resultText, runOptions } from '../upgrade-run.js';
import { UPGRADE_OPTIONS, upgradeTarget } from '../upgrade-target.js';

export const command = defineCommand({
  name: 'upgrade apply',
  summary: 'take the cluster to another version',
  details: `Refuses what keelson upgrade plan shows as an error. Then: images and binaries to all hosts, etcd into a snapshot on
this machine, control planes one after the other, add-ons, workers in waves. A host that does not come up goes back by
itself, and the upgrade stops. Interrupted, it goes on when it is run again. At the end kubernetesVersion and spec.bundle
of the cluster file are what the cluster is.`,
  options: {
    ...UPGRADE_OPTIONS,
    ...RUN_OPTIONS,
    ...PREFLIGHT_OPTIONS,
    snapshotDir: {
      flags: '--snapshot-dir <dir>',
      description: 'where the snapshot of etcd goes',
      kind: 'string',
      default: '.keelson/snapshots',
    },
    noSnapshot: { flags: '--no-snapshot', description: 'take none', kind: 'boolean' },
  },
  run: async ({ options, io, global }) => {
    const current = await clusterConfig(options.config, io);
    const run = runOptions(options, current, io);
    const snapshotDirectory = options.noSnapshot ? null : await outputDirectory(options.snapshotDir, io);
    requireAnswer(
      options,
      io,
      'an upgrade is to be confirmed',
      'look at keelson upgrade plan, then give --yes',
    );
    const target = await upgradeTarget(options, io);
    const to = target.config.cluster.kubernetesVersion;
    const steps = await withSession({ options, io, global }, ({ session }) => stepsTo(session, to), {
      config: target.config,
      bundleOptional: true,
      quiet: true,
      hosts: [],
    });
    const way = [steps[0]?.from ?? to, ...steps.map((step) => step.to)].join(' → ');
    if (!options.yes && !(await io.confirm(`Upgrade ${current.name}, ${way}?`)))
      throw new KeelsonError('ABORTED', 'nothing was changed');
    const results: UpgradeResult[] = [];
    for (const step of steps) {
      const last = step === steps.at(-1);
      const before = await clusterConfig(options.config, io);
      const { config, text } = await upgradeTarget(
        { config: options.config, to: step.to, bundle: last ? options.bundle : undefined },
        io,
      );
      const result = await withSession(
        { options, io, global },
        ({ session }) =>
          applyUpgrade(session, {
            ...run,
            snapshotDirectory,
            previousBundle: before.cluster.kubernetesVersion === step.from ? before.spec.bundle : null,
            ignore: options.ignorePreflightErrors,
          }),
        { config, ...chosenHosts(run) },
      );
      results.push(result);
      if (!result.complete) break;
      await writeVersion(options.config, text, step.to, io);
    }
    return { data: { cluster: current.name, steps: results }, text: results.map(resultText).join('\n') };
  },
});
