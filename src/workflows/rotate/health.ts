import { setTimeout as delay } from 'node:timers/promises';
import { memberHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { certificateSurvey } from '../certs/check.js';
import { etcdStatus } from '../etcd-status.js';
import type { Session } from '../session.js';
import { clusterStatus } from '../status.js';

/** Between two looks at everything. */
const LOOK_MS = 2_000;

/**
 * Everything that keeps a rotation from beginning, one sentence each: what is not healthy, and certificates that are
 * wrong or have expired. Reads only.
 */
export async function obstacles(session: Session): Promise<string[]> {
  const { context } = session;
  const [status, etcd, survey] = await Promise.all([
    // Drift is no ill health, and finding it out takes longer than all else together.
    clusterStatus(session, { drift: false, ask: true }),
    memberHosts(context.config).length === 0 ? null : etcdStatus(session),
    certificateSurvey(session, { warnDays: 0 }),
  ]);
  const wrong = survey.findings
    .filter(({ severity }) => severity === 'error')
    .map(({ host, place, message }) => `${place}${host === '' ? '' : ` on ${host}`} ${message}`);
  return [...status.problems, ...(etcd?.problems ?? []), ...wrong];
}

/**
 * @param patienceMs within which what is unhealthy may become healthy
 * @throws PREFLIGHT with all that has to be mended first
 */
export async function refuseUnhealthy(session: Session, patienceMs: number): Promise<void> {
  const { context, emit } = session;
  const until = context.now() + patienceMs;
  let found = await obstacles(session);
  while (found[0] !== undefined && context.now() < until) {
    const last = found.length > 1 ? `${found[0]} (and ${found.length - 1} more)` : found[0];
    emit({ type: 'waiting', phase: 'rotate', host: '', for: 'everything to be healthy', last });
    await delay(LOOK_MS, undefined, { signal: context.signal });
    found = await obstacles(session);
  }
  const [first] = found;
  if (first === undefined) return;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
  throw new KeelsonError('PREFLIGHT', `a rotation begins only in a healthy cluster: ${first}${more}`, {
    hint: 'see keelson status, keelson etcd status and keelson certs check; mend it, then run this again',
    details: found,
  });
}
