import { RELEASES } from '../../bundle/releases.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { clusterApi } from '../cluster-api.js';
import type { Session } from '../session.js';
import { type Hop, upgradePath } from './path.js';
import { readRecord, stepAgain } from './record.js';
import { clusterVersion } from './versions.js';

/**
 * The steps from where the cluster is to a version, one that is under way first. Reads only; does without an API
 * where a step is under way that ends at that version.
 * @throws CONFLICT where there is no cluster, for a downgrade, and while a rollback is under way
 */
export async function stepsTo(session: Session, to: string): Promise<Hop[]> {
  const available = Object.keys(RELEASES);
  const record = await readRecord(session);
  if (record?.state === 'under-way') {
    if (record.direction === 'upgrade')
      return [{ from: record.from, to: record.to }, ...upgradePath(record.to, to, available)];
    throw new KeelsonError('CONFLICT', `a rollback from ${record.from} to ${record.to} is under way`, {
      hint: 'end it with keelson upgrade rollback',
    });
  }
  const from = await clusterVersion(await clusterApi(session));
  if (from === null) {
    throw new KeelsonError('CONFLICT', 'the cluster has no ConfigMap kubeadm-config that names its version', {
      hint: 'keelson apply writes it',
    });
  }
  const path = upgradePath(from, to, available);
  // Hosts may still be behind, one that was replaced meanwhile for example.
  return path.length > 0 ? path : [{ from: stepAgain(record, { from, to })?.from ?? from, to }];
}
