import { EXIT_CHANGES, exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { changesIn } from '../../workflows/plan.js';
import { planUpgrade } from '../../workflows/upgrade/plan.js';
import { PREFLIGHT_OPTIONS, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { UPGRADE_OPTIONS, upgradeTarget } from '../upgrade-target.js';
import { upgradePlanText } from '../upgrade-text.js';

export const command = defineCommand({
  name: 'upgrade plan',
  summary: 'what an upgrade would take and change, and what stands in its way',
  details: `Reads only. Shows the way through minor versions, versions of every component, findings (version skew, flags and
feature gates that the new version has not, deprecated APIs in use, certificates, disruption budgets, disk, health), and
the changes file by file. Exits with 4 where a finding stands in the way.`,
  options: {
    ...UPGRADE_OPTIONS,
    ...PREFLIGHT_OPTIONS,
    detailedExitcode: {
      flags: '--detailed-exitcode',
      description: 'exit 10 when there are changes',
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) => {
    const { config } = await upgradeTarget(options, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const upgrade = await planUpgrade(session, { ignore: options.ignorePreflightErrors });
        const blocked =
          upgrade.path.length > 0 && upgrade.findings.some(({ severity }) => severity === 'error');
        const changes = upgrade.plan === null || changesIn(upgrade.plan) > 0;
        return {
          data: upgrade,
          text: upgradePlanText(upgrade, { diffs: true }),
          exitCode: blocked
            ? exitCodeOf(new KeelsonError('PREFLIGHT', ''))
            : options.detailedExitcode && changes
              ? EXIT_CHANGES
              : 0,
        };
      },
      { config, quiet: true },
    );
  },
});
