import type { ClusterConfig } from '../config/types.js';
import { duration } from '../report/table.js';
import { ownerOf } from '../workflows/lock.js';
import type { UpgradeOptions, UpgradeResult } from '../workflows/upgrade/options.js';
import { waveSize } from '../workflows/upgrade/waves.js';
import { parseWindow } from '../workflows/upgrade/window.js';
import { hostSelection } from './cluster-options.js';
import type { CliIO } from './command.js';
import { DRAIN_OPTIONS, milliseconds } from './drain-options.js';

/** Options of commands that change the cluster's version. */
export const RUN_OPTIONS = {
  yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
  host: {
    flags: '--host <names>',
    description: 'only these hosts; the rest follows when it is run again',
    kind: 'list',
  },
  window: {
    flags: '--window <times>',
    description:
      'maintenance window, 22:00-04:00 in the time of this machine: waits for it, and begins nothing after it',
    kind: 'string',
  },
  maxUnavailable: {
    flags: '--max-unavailable <count>',
    description: 'workers that may be away at once, 3 or 25%',
    kind: 'string',
    default: '1',
  },
  drain: {
    flags: '--drain <when>',
    description: 'whether pods leave a worker first: where the kubelet’s minor changes, always, or never',
    kind: 'string',
    choices: ['minor', 'always', 'never'],
    default: 'minor',
  },
  noDrain: { flags: '--no-drain', description: 'the same as --drain never', kind: 'boolean' },
  ...DRAIN_OPTIONS,
  deleteEmptydirData: {
    flags: '--delete-emptydir-data',
    description: 'drain also pods with emptyDir volumes: what is in them is lost',
    kind: 'boolean',
  },
} as const;

interface RunValues {
  host: readonly string[];
  window: string | undefined;
  maxUnavailable: string;
  drain: string;
  noDrain: boolean;
  force: boolean;
  timeout: string;
  deleteEmptydirData: boolean;
}

/**
 * The options of a run, without what only one of the commands has.
 * @throws USAGE for hosts, a number or a duration that is none
 */
export function runOptions(
  values: RunValues,
  config: ClusterConfig,
  io: CliIO,
): Omit<UpgradeOptions, 'snapshotDirectory' | 'previousBundle'> {
  // For what it refuses; how many nodes there are makes no difference to that.
  waveSize(values.maxUnavailable, config.hosts.length);
  return {
    owner: ownerOf(),
    stop: io.stop,
    ...hostSelection(values.host, config),
    ...(values.window === undefined ? {} : { window: parseWindow(values.window) }),
    maxUnavailable: values.maxUnavailable,
    drain: values.noDrain ? 'never' : (values.drain as UpgradeOptions['drain']),
    drainSettings: {
      force: values.force,
      deleteEmptyDirData: values.deleteEmptydirData,
      timeoutMs: milliseconds('--timeout', values.timeout),
    },
  };
}

/** With `--host` a session needs only these hosts: others may be away. */
export const chosenHosts = ({ hosts }: Pick<UpgradeOptions, 'hosts'>): { hosts?: readonly string[] } =>
  hosts === undefined ? {} : { hosts };

/** What a run did, for people. */
export function resultText({
  cluster,
  from,
  to,
  complete,
  changed,
  snapshot,
  durationMs,
}: UpgradeResult): string {
  const done = complete
    ? `${cluster} is at ${to}, from ${from}: ${changed} changes in ${duration(durationMs)}.`
    : `${cluster} is on its way from ${from} to ${to}: ${changed} changes in ${duration(durationMs)}; hosts are left.\nRun it again without --host for the rest.`;
  return snapshot === null ? done : `${done}\nSnapshot of etcd from before: ${snapshot}`;
}
