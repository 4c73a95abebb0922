import { memberHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { etcdStatus } from '../etcd-status.js';
import type { Session } from '../session.js';
import { clusterStatus } from '../status.js';

/**
 * Everything that keeps a rotation from beginning, one sentence each: what is not healthy, and certificates that are
 * wrong or have expired. Reads only.
 */
export async function obstacles(session: Session): Promise<string[]> {
  const { context } = session;
  const status = await clusterStatus(session);
  const etcd = memberHosts(context.config).length === 0 ? null : await etcdStatus(session);
  const expired = status.certificates.expiring
    .filter(({ daysLeft }) => daysLeft < 0)
    .map(({ host, path }) => `${path} on ${host} has expired`);
  const wrong = context.inventory
    .filter(({ role }) => role === 'control-plane')
    .flatMap(({ name }) =>
      context.trust
        .entries(name)
        .flatMap((entry) => entry.findings.filter(({ severity }) => severity === 'error'))
        .map(({ path, message }) => `${path} on ${name} ${message}`),
    );
  return [...status.problems, ...(etcd?.problems ?? []), ...expired, ...wrong];
}

/** @throws PREFLIGHT with all that has to be mended first */
export async function refuseUnhealthy(session: Session): Promise<void> {
  const found = await obstacles(session);
  const [first] = found;
  if (first === undefined) return;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
  throw new KeelsonError('PREFLIGHT', `a rotation begins only in a healthy cluster: ${first}${more}`, {
    hint: 'see keelson status and keelson etcd status; mend it, then run this again',
    details: found,
  });
}
