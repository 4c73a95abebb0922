import { controlPlanes, presentHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { clusterApi } from '../cluster-api.js';
import type { Session } from '../session.js';
import type { Hop } from './path.js';
import { tagOf } from './versions.js';

interface Chosen {
  hop: Hop;
  direction: 'upgrade' | 'rollback';
  /** Names of the hosts that a run is to take. */
  names: readonly string[];
}

/**
 * Control planes that were not chosen and whose API server is not at the step's version yet. Asks the API, and only
 * where some were not chosen.
 */
export async function planesLeft(session: Session, { hop, names }: Chosen): Promise<string[]> {
  const others = controlPlanes(session.context.config).filter(({ name }) => !names.includes(name));
  if (others.length === 0) return [];
  const client = session.context.api() ?? (await clusterApi(session));
  const pods = await client.list(
    '/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver',
  );
  const versions = new Map(
    pods.map((pod) => {
      const { nodeName = '', containers = [] } = (pod.spec ?? {}) as {
        nodeName?: string;
        containers?: { image?: string }[];
      };
      return [nodeName, tagOf(containers[0]?.image ?? '')] as const;
    }),
  );
  return others
    .filter(({ nodeRegistration }) => versions.get(nodeRegistration.name) !== hop.to)
    .map(({ name }) => name);
}

/** Workers that were not chosen and whose kubelet is still at the version that a rollback leaves. */
async function workersLeft(session: Session, { hop, names }: Chosen): Promise<string[]> {
  const others = presentHosts(session.context.config).filter(
    ({ name, role }) => role === 'worker' && !names.includes(name),
  );
  if (others.length === 0) return [];
  const client = session.context.api() ?? (await clusterApi(session));
  const nodes = await client.list('/api/v1/nodes');
  const version = (name: string) => {
    const found = nodes.find(({ metadata }) => metadata.name === name);
    return (found?.status as { nodeInfo?: { kubeletVersion?: string } } | undefined)?.nodeInfo
      ?.kubeletVersion;
  };
  return others
    .filter(({ nodeRegistration }) => version(nodeRegistration.name) === hop.from)
    .map(({ name }) => name);
}

/**
 * A kubelet must not be newer than any API server (kubernetes.io/releases/version-skew-policy): workers come after
 * all control planes, and go back before them.
 * @throws CONFLICT for chosen hosts whose turn it is not
 */
export async function refuseOutOfTurn(session: Session, chosen: Chosen): Promise<void> {
  const roleOf = (name: string) => session.context.hostNamed(name).role;
  const upgrade = chosen.direction === 'upgrade';
  const early = chosen.names.filter((name) => roleOf(name) === (upgrade ? 'worker' : 'control-plane'));
  if (early.length === 0) return;
  const before = await (upgrade ? planesLeft : workersLeft)(session, chosen);
  if (before.length === 0) return;
  const why = upgrade
    ? `workers come after all control planes, and ${before.join(', ')} still ${before.length === 1 ? 'runs' : 'run'} ${chosen.hop.from}`
    : `control planes go back after all workers, and ${before.join(', ')} still ${before.length === 1 ? 'runs' : 'run'} ${chosen.hop.from}`;
  throw new KeelsonError('CONFLICT', `not yet the turn of ${early.join(', ')}: ${why}`, {
    hint: `take --host ${before.join(',')} first, or leave --host out`,
  });
}
