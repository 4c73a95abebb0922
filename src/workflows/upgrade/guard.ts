import { KeelsonError } from '../../errors/keelson-error.js';
import type { Session } from '../session.js';
import { refuseUnderWay } from './record.js';
import { clusterVersion } from './versions.js';

/**
 * An apply makes everything at once what the file says; another version is no such thing. A cluster whose API does
 * not answer can't be asked, and is put in order.
 * @throws CONFLICT where the cluster runs another version than the file has, and while an upgrade is under way
 */
export async function refuseOtherVersion(session: Session): Promise<void> {
  const { context } = session;
  await refuseUnderWay(session);
  const client = context.established ? context.api() : null;
  if (client === null) return;
  const wanted = context.config.cluster.kubernetesVersion;
  const found = await clusterVersion(client).catch((error: unknown) => {
    if (error instanceof KeelsonError && (error.code === 'CONNECTION' || error.code === 'API')) return null;
    throw error;
  });
  if (found === null || found === wanted) return;
  throw new KeelsonError('CONFLICT', `the cluster runs ${found}, the cluster file has ${wanted}`, {
    hint: `to change the version: keelson upgrade plan --to ${wanted}, then keelson upgrade apply --to ${wanted}; else write kubernetesVersion: ${found} again`,
  });
}
