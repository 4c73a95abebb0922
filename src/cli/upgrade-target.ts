import { dirname, resolve } from 'node:path';
import { loadBundle } from '../bundle/bundle.js';
import { withKubernetesVersion } from '../config/edit.js';
import { KNOWN_MINORS } from '../config/feature-gates.js';
import { parseClusterConfig, readClusterFile } from '../config/load.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { bundleDir } from './cache.js';
import { CLUSTER_OPTIONS, clusterConfig } from './cluster-options.js';
import type { CliIO } from './command.js';

/** Options of commands that take a cluster to another version. */
export const UPGRADE_OPTIONS = {
  ...CLUSTER_OPTIONS,
  to: {
    flags: '--to <version>',
    description: 'version to upgrade to, v1.36.3 (default the file’s kubernetesVersion)',
    kind: 'string',
  },
  bundle: {
    flags: '--bundle <dir>',
    description: 'bundle of that version (default beside the one in use, else where bundle build puts it)',
    kind: 'string',
  },
} as const;

export interface UpgradeTarget {
  /** The file's configuration with the target's version and bundle. */
  config: ClusterConfig;
  /** The file's text with both; what the file becomes when the upgrade is done. */
  text: string;
  /** Version that the file has. */
  fileVersion: string;
}

interface TargetValues {
  config: string;
  to: string | undefined;
  bundle: string | undefined;
}

/** Path of a version's bundle, given that of another version as the file has it. */
export function bundleOf(before: string, from: string, to: string, fallback: string): string {
  if (from === to) return before;
  const beside = before.replace(/[^/]+(?=\/*$)/, (name) => (name === from ? to : name));
  return beside === before ? fallback : beside;
}

/** @throws BUNDLE for a directory that is no bundle; USAGE for one of another version */
async function requireBundleOf(version: string, path: string, io: CliIO): Promise<void> {
  const { lock } = await loadBundle(resolve(io.cwd, path));
  if (lock.kubernetesVersion === version) return;
  throw new KeelsonError('USAGE', `${path} is of Kubernetes ${lock.kubernetesVersion}, not ${version}`, {
    hint: 'name the bundle of the version that you want, or leave --bundle out',
  });
}

/**
 * The cluster file as it is to be after an upgrade to a version.
 * @throws USAGE for what is no version; CONFIG for a file that is wrong, also with the new version
 */
export async function upgradeTarget(values: TargetValues, io: CliIO): Promise<UpgradeTarget> {
  const current = await clusterConfig(values.config, io);
  const fileVersion = current.cluster.kubernetesVersion;
  const to = (values.to ?? fileVersion).replace(/^v?/, 'v');
  if (!/^v\d+\.\d+\.\d+/.test(to)) {
    throw new KeelsonError('USAGE', `--to: "${values.to}" is no version`, { hint: 'write it as v1.36.3' });
  }
  const minor = /^v(\d+\.\d+)/.exec(to)?.[1] ?? '';
  if (!KNOWN_MINORS.includes(minor)) {
    const known = KNOWN_MINORS.map((each) => `v${each}`).join(', ');
    throw new KeelsonError('USAGE', `--to ${to}: this keelson knows Kubernetes ${known}`, {
      hint: 'name a release of these, or use a keelson that knows it',
    });
  }
  if (values.bundle !== undefined) await requireBundleOf(to, values.bundle, io);
  const path = resolve(io.cwd, values.config);
  const before = await readClusterFile(path);
  const given = values.bundle === undefined ? undefined : resolve(io.cwd, values.bundle);
  const text = withKubernetesVersion(
    before,
    to,
    (bundle) => given ?? bundleOf(bundle, fileVersion, to, bundleDir(io, to)),
    values.config,
  );
  const config = parseClusterConfig(text, {
    file: path,
    baseDir: dirname(path),
    homeDir: io.home,
    env: io.env,
  });
  return { config, text, fileVersion };
}
