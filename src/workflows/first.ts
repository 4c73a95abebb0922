import { clusterClient } from '../cluster/client.js';
import { type ControlPlaneHost, controlPlanes } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader, ReadResult } from '../host/types.js';
import { MANIFESTS_DIR } from '../phases/paths.js';
import { exists } from '../phases/seen.js';
import { ADMIN_FILES, adminIn } from '../phases/trust-store.js';
import { certificatePaths } from '../pki/table.js';

/** How far a control plane has come; what is further goes before the order of the file. */
const PROGRESS = ['pristine', 'begun', 'initialised', 'serving'] as const;
export type Progress = (typeof PROGRESS)[number];

/** An API server that is well answers at once. */
const READY_MS = 3000;

const API_MANIFEST = `${MANIFESTS_DIR}/kube-apiserver.yaml`;

/**
 * How far each of these hosts, control planes, has come. Reads only.
 * @param hosts connected control planes by name; others are left out
 */
export async function progressOf(
  config: ClusterConfig,
  hosts: ReadonlyMap<string, HostReader>,
  signal: AbortSignal,
): Promise<Map<string, Progress>> {
  const planes = controlPlanes(config).filter(({ name }) => hosts.has(name));
  const found = await Promise.all(
    planes.map(async (plane): Promise<[string, Progress]> => {
      const host = hosts.get(plane.name);
      return [plane.name, host === undefined ? 'pristine' : await look(config, plane, host, signal)];
    }),
  );
  return new Map(found);
}

async function look(
  config: ClusterConfig,
  plane: ControlPlaneHost,
  host: HostReader,
  signal: AbortSignal,
): Promise<Progress> {
  const { cluster } = config;
  const ca = certificatePaths(cluster, { baseName: 'ca' }).key;
  const data = cluster.etcd.local === undefined ? API_MANIFEST : `${cluster.etcd.local.dataDir}/member`;
  const seen = await host.read({ files: ADMIN_FILES, stats: [ca, data, API_MANIFEST] }, { signal });
  if (!exists(seen, data)) return exists(seen, ca) ? 'begun' : 'pristine';
  // With a single control plane there is nothing to choose.
  const alone = controlPlanes(config).length === 1;
  if (alone || !exists(seen, API_MANIFEST)) return 'initialised';
  return (await serves(plane, host, seen, signal)) ? 'serving' : 'initialised';
}

async function serves(
  plane: ControlPlaneHost,
  host: HostReader,
  seen: ReadResult,
  signal: AbortSignal,
): Promise<boolean> {
  const admin = adminIn((path) => seen.files.get(path)?.content);
  if (admin === null) return false;
  const { advertiseAddress: address, bindPort: port } = plane.localAPIEndpoint;
  const client = clusterClient(host, { address, port }, admin, signal);
  try {
    await client.request('GET', '/readyz', { timeoutMs: READY_MS });
    return true;
  } catch (error) {
    if (error instanceof KeelsonError && error.code !== 'ABORTED') return false;
    throw error;
  } finally {
    await client.close();
  }
}

export interface Choice {
  first: ControlPlaneHost;
  /** Some control plane was initialised before. */
  established: boolean;
  /** The one chosen answers. */
  serving: boolean;
}

/**
 * The control plane to work through: of those that have come furthest the first one of the file. So a host that
 * is first in the file and was replaced joins a cluster that lives on the others, and never makes a second one.
 * @throws KeelsonError BUG where none was looked at
 */
export function chooseFirst(config: ClusterConfig, progress: ReadonlyMap<string, Progress>): Choice {
  const known = controlPlanes(config).filter(({ name }) => progress.has(name));
  const rank = ({ name }: ControlPlaneHost) => PROGRESS.indexOf(progress.get(name) ?? 'pristine');
  const furthest = Math.max(...known.map(rank));
  const first = known.find((plane) => rank(plane) === furthest);
  if (first === undefined) throw new KeelsonError('BUG', 'no control plane was looked at');
  const state = PROGRESS[furthest];
  return {
    first,
    established: state === 'initialised' || state === 'serving',
    serving: state === 'serving',
  };
}
