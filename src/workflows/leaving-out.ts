import { presentHosts } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

export interface LeavingOut<T> {
  result: T;
  /** Workers that were left out, with what is wrong with them. */
  leftOut: ReadonlyMap<string, string>;
}

/**
 * Does work on hosts, and again without the workers that fail, until it succeeds. What is safe to repeat only:
 * hosts that did not fail are looked at again.
 * @param hosts hosts to begin with; undefined for all
 * @param work gets undefined as long as nobody is left out of all hosts
 * @throws what `work` throws where it is about anything but workers, or about all hosts that are left
 */
export async function leavingOut<T>(
  config: ClusterConfig,
  hosts: readonly string[] | undefined,
  work: (hosts: readonly string[] | undefined) => Promise<T>,
  onLeftOut: (failed: ReadonlyMap<string, string>) => void,
): Promise<LeavingOut<T>> {
  const leftOut = new Map<string, string>();
  let left = hosts;
  for (;;) {
    try {
      return { result: await work(left), leftOut };
    } catch (error) {
      const failed = error instanceof KeelsonError ? failedWorkers(error, config) : null;
      const before = left ?? presentHosts(config).map((host) => host.name);
      const after = failed === null ? [] : before.filter((name) => !failed.has(name));
      if (failed === null || after.length === 0 || after.length === before.length) throw error;
      for (const [name, why] of failed) leftOut.set(name, why);
      onLeftOut(failed);
      left = after;
    }
  }
}

/** Workers that an error is about, with what it says of each; null where it is about anything else too. */
export function failedWorkers(
  error: KeelsonError,
  config: ClusterConfig,
): ReadonlyMap<string, string> | null {
  if (['ABORTED', 'BUG', 'LOCKED'].includes(error.code)) return null;
  const failures = failuresOf(error);
  const workers = new Set(
    presentHosts(config).flatMap(({ name, role }) => (role === 'worker' ? [name] : [])),
  );
  if (failures.length === 0 || failures.some(({ host }) => !workers.has(host))) return null;
  const failed = new Map<string, string>();
  for (const { host, message } of failures) if (!failed.has(host)) failed.set(host, message);
  return failed;
}

interface Failure {
  host: string;
  message: string;
}

function failuresOf({ host, message, details }: KeelsonError): Failure[] {
  const { findings } = (details ?? {}) as { findings?: (Failure & { severity: string })[] };
  if (Array.isArray(findings)) return findings.filter(({ severity }) => severity === 'error');
  const several = Array.isArray(details) ? (details as Partial<Failure>[]) : [];
  if (several.length > 0 && several.every((one) => typeof one?.message === 'string'))
    return several.map((one) => ({ host: one.host ?? '', message: one.message ?? '' }));
  return host === undefined ? [] : [{ host, message }];
}
