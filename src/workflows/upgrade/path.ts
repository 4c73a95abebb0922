import { KeelsonError } from '../../errors/keelson-error.js';

/** One step of an upgrade: at most one minor version. */
export interface Hop {
  /** `v1.35.4`. */
  from: string;
  to: string;
}

interface Version {
  major: number;
  minor: number;
  patch: number;
}

/**
 * @throws KeelsonError USAGE for what is no version
 */
export function parseVersion(text: string): Version {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) {
    throw new KeelsonError('USAGE', `"${text}" is no version`, { hint: 'write it as v1.36.3' });
  }
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

/** Negative where `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [parseVersion(a), parseVersion(b)];
  return x.major - y.major || x.minor - y.minor || x.patch - y.patch;
}

/** Minor versions from `a` to `b`: 1 from v1.35.4 to v1.36.0. */
export function minorsBetween(a: string, b: string): number {
  return parseVersion(b).minor - parseVersion(a).minor;
}

/**
 * The steps from one version to another: an API server may only be taken one minor further at a time
 * (kubernetes.io/releases/version-skew-policy). [] where there is nothing to do.
 * @param available versions that steps in between may stop at; the newest patch of each minor is taken
 * @throws KeelsonError CONFLICT for a downgrade; BUNDLE where a minor in between is not available
 */
export function upgradePath(from: string, to: string, available: readonly string[]): Hop[] {
  const order = compareVersions(from, to);
  if (order === 0) return [];
  if (order > 0 || parseVersion(from).major !== parseVersion(to).major) {
    throw new KeelsonError(
      'CONFLICT',
      `the cluster runs ${from}, and ${to} is older: Kubernetes does not go back`,
      {
        hint: 'keelson upgrade rollback takes the last upgrade back',
      },
    );
  }
  const stops: string[] = [];
  for (let minor = parseVersion(from).minor + 1; minor < parseVersion(to).minor; minor++) {
    const [newest] = available
      .filter((version) => parseVersion(version).minor === minor)
      .sort((a, b) => compareVersions(b, a));
    if (newest === undefined) {
      throw new KeelsonError(
        'BUNDLE',
        `the way from ${from} to ${to} leads through v1.${minor}, and there is no module set for any v1.${minor}`,
        { hint: `add one with scripts/add-kubernetes-version.mjs; there are ${available.join(', ')}` },
      );
    }
    stops.push(newest);
  }
  const all = [from, ...stops, to];
  return all.slice(1).map((version, index) => ({ from: all[index] ?? from, to: version }));
}
