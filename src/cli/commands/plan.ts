import { EXIT_CHANGES } from '../../errors/keelson-error.js';
import { planText } from '../../report/plan-text.js';
import { planApply } from '../../workflows/apply.js';
import { changesIn, silentApi } from '../../workflows/plan.js';
import { CA_KEYS_OPTIONS, caKeysOf } from '../ca-keys-options.js';
import {
  BUNDLE_OPTION,
  CLUSTER_OPTIONS,
  clusterConfig,
  hostSelection,
  withSession,
} from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { outputFile, writeOutput } from '../output-path.js';

export const command = defineCommand({
  name: 'plan',
  summary: 'what apply would change, host by host and file by file',
  details:
    'Reads only. A plan saved with --host is applied with the same --host. With --detailed-exitcode: 0 nothing to change, 10 changes, others as always.',
  options: {
    ...CLUSTER_OPTIONS,
    ...CA_KEYS_OPTIONS,
    ...BUNDLE_OPTION,
    out: { flags: '--out <file>', description: 'save the plan for keelson apply PLAN', kind: 'string' },
    detailedExitcode: {
      flags: '--detailed-exitcode',
      description: 'exit 10 when there are changes',
      kind: 'boolean',
    },
    host: { flags: '--host <names>', description: 'only these hosts', kind: 'list' },
  },
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const selected = hostSelection(options.host, config);
    const out = options.out === undefined ? undefined : await outputFile(options.out, io);
    const keys = await caKeysOf(options, config.name, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const plan = await planApply(session, selected);
        if (out !== undefined) await writeOutput(out, `${JSON.stringify(plan, null, 2)}\n`, 0o600);
        const changes = changesIn(plan) > 0 || plan.tasks.some((task) => task.standing === 'blocked');
        const silent = silentApi(session, plan);
        const warning =
          silent === null
            ? ''
            : `The API does not answer, so that the cluster's own objects are shown as if missing: ${silent}\n\n`;
        return {
          data: plan,
          text: warning + planText(plan, { diffs: true }),
          exitCode: options.detailedExitcode && changes ? EXIT_CHANGES : 0,
        };
      },
      { config, quiet: true, bundle: options.bundle, ...keys },
    );
  },
});
