import { absentHosts } from '../config/inventory.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { MANIFESTS_DIR } from '../phases/paths.js';
import type { Session } from './session.js';

const MANIFEST = `${MANIFESTS_DIR}/kube-apiserver.yaml`;

/**
 * A file whose only initialised control planes are absent ones would make a new cluster, and remove the old one's
 * last control plane.
 * @throws CONFLICT for such a file
 */
export async function refuseSecondCluster(session: Session): Promise<void> {
  const { context } = session;
  const planes = absentHosts(context.config).filter((host) => host.role === 'control-plane');
  if (context.established || planes.length === 0) return;
  await session.reach(planes.map((host) => host.name));
  for (const { name } of planes) {
    const seen = await session.hosts.get(name)?.read({ stats: [MANIFEST] }, { signal: context.signal });
    if ((seen?.files.get(MANIFEST)?.type ?? 'missing') === 'missing') continue;
    throw new KeelsonError(
      'CONFLICT',
      `${name} is to be removed, and no control plane that stays has joined its cluster`,
      {
        host: name,
        hint: `run keelson node replace ${name} ${context.first.name}, or keelson reset where the cluster is to go`,
      },
    );
  }
}
