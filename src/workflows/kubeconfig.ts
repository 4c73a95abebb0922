import { KeelsonError } from '../errors/keelson-error.js';
import type { Session } from './session.js';

const ADMIN_CONF = '/etc/kubernetes/admin.conf';

/**
 * The admin kubeconfig as it stands on the first control plane. A secret.
 * @throws CONFLICT where the cluster has none yet
 */
export async function adminKubeconfig(session: Session): Promise<string> {
  const { first } = session.context;
  const seen = await session.effects.host(first.name).read({ files: [ADMIN_CONF] });
  const content = seen.files.get(ADMIN_CONF)?.content;
  if (content === undefined) {
    throw new KeelsonError('CONFLICT', `${ADMIN_CONF} is not there yet`, {
      host: first.name,
      hint: 'run keelson apply first',
    });
  }
  return content.toString('utf8');
}
