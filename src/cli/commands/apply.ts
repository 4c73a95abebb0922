import { resolve } from 'node:path';
import { readText } from '../../config/read-text.js';
import type { Plan } from '../../engine/types.js';
import { groupedLines } from '../../errors/grouped.js';
import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { planText } from '../../report/plan-text.js';
import { duration } from '../../report/table.js';
import { applyCluster, planApply } from '../../workflows/apply.js';
import { leavingOut } from '../../workflows/leaving-out.js';
import { configDigest, parsePlan, refuseOtherFile } from '../../workflows/saved-plan.js';
import { CA_KEYS_OPTIONS, caKeysOf } from '../ca-keys-options.js';
import {
  BUNDLE_OPTION,
  CLUSTER_OPTIONS,
  clusterConfig,
  hostSelection,
  ownerOf,
  PREFLIGHT_OPTIONS,
  type Work,
  withBundle,
  withSession,
} from '../cluster-options.js';
import { type CliIO, defineCommand } from '../command.js';
import { failedBefore, rememberFailed } from '../failed-hosts.js';

export const command = defineCommand({
  name: 'apply',
  summary: 'make the cluster what the file says',
  details:
    'Safe to repeat, and safe to interrupt: the next apply goes on from there. Asks nothing: look at keelson plan first.',
  arguments: '[plan]',
  options: {
    ...CLUSTER_OPTIONS,
    ...CA_KEYS_OPTIONS,
    ...BUNDLE_OPTION,
    dryRun: { flags: '--dry-run', description: 'show the plan and change nothing', kind: 'boolean' },
    host: { flags: '--host <names>', description: 'only these hosts', kind: 'list' },
    continueOnError: {
      flags: '--continue-on-error',
      description: 'go on without workers that fail, and name them at the end (exit 9)',
      kind: 'boolean',
    },
    retryFailed: {
      flags: '--retry-failed',
      description: 'only the workers that the last run left out',
      kind: 'boolean',
    },
    ...PREFLIGHT_OPTIONS,
  },
  run: async ({ args, options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const [file] = args;
    if ((options.continueOnError || options.retryFailed) && file !== undefined)
      throw new KeelsonError('USAGE', 'a saved plan is applied to all of its hosts', {
        hint: 'leave the plan out, or --continue-on-error and --retry-failed',
      });
    const saved = file === undefined ? undefined : await readPlan(file, io);
    if (saved !== undefined) {
      const named = withBundle(config, options.bundle, io);
      // Where no bundle is named, which one it will be shows only later; apply compares once more.
      const digest = named.spec.bundle === null ? saved.configDigest : configDigest(named);
      refuseOtherFile(saved, { cluster: config.name, configDigest: digest });
    }
    const { hosts } = options.retryFailed
      ? { hosts: await failedBefore(config, io) }
      : hostSelection(options.host, config);
    const keys = await caKeysOf(options, config.name, io);
    const on = (names: readonly string[] | undefined) => {
      const selected = names === undefined ? {} : { hosts: names };
      const work = async ({ session }: Work) => {
        if (options.dryRun) {
          const plan = await planApply(session, selected);
          return { data: plan, text: planText(plan, { diffs: true }) };
        }
        const result = await applyCluster(session, {
          ...(saved === undefined ? {} : { saved }),
          ...selected,
          stop: io.stop,
          owner: ownerOf(),
          ignorePreflightErrors: options.ignorePreflightErrors,
        });
        const summary = { cluster: config.name, changed: result.changed, durationMs: result.durationMs };
        const text =
          result.changed === 0
            ? `Nothing to change: ${config.name} is what its file says.`
            : `${config.name}: ${result.changed} changes in ${duration(result.durationMs)}.`;
        return { data: summary, text };
      };
      return withSession({ options, io, global }, work, {
        config,
        bundle: options.bundle,
        obtainBundle: !options.dryRun,
        ...keys,
        ...selected,
      });
    };
    if (!options.continueOnError && !options.retryFailed) return on(hosts);
    const { result, leftOut } = await leavingOut(config, hosts, on, (failed) => {
      for (const line of groupedLines([...failed].map(([who, message]) => ({ who, message }))))
        io.stderr.write(`keelson: left out: ${line}\n`);
    });
    if (!options.dryRun) await rememberFailed([...leftOut.keys()], config, io);
    if (leftOut.size === 0) return result;
    const lines = groupedLines([...leftOut].map(([who, message]) => ({ who, message })));
    const text = `${result.text.trimEnd()}\nLeft out, to be tried with --retry-failed:\n  ${lines.join('\n  ')}`;
    const data = { ...result.data, leftOut: Object.fromEntries(leftOut) };
    return { data, text, exitCode: exitCodeOf(new KeelsonError('HOSTS_FAILED', text)) };
  },
});

/** What a string holds is twice as much. */
const MOST_PLAN_BYTES = 256 * 1024 * 1024;

async function readPlan(file: string, io: CliIO): Promise<Plan> {
  const path = resolve(io.cwd, file);
  const refusal = { code: 'USAGE', hint: 'name a plan that keelson plan --out FILE saved' } as const;
  return parsePlan(await readText(path, MOST_PLAN_BYTES, refusal), path);
}
