import { type ClusterClient, clusterClient, type KubeObject } from '../../cluster/client.js';
import { type ControlPlaneHost, controlPlanes, nodeHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { clusterTrust } from '../cluster-api.js';
import type { Session } from '../session.js';

/** Control planes that are connected, in the order of the file. */
export function connectedPlanes({ context, hosts }: Session): ControlPlaneHost[] {
  return controlPlanes(context.config).filter(({ name }) => hosts.has(name));
}

/** A client of the API server on one control plane itself, whatever the cluster's endpoint is. */
async function apiOn(session: Session, plane: ControlPlaneHost): Promise<ClusterClient> {
  const { context } = session;
  if (context.trust.admin() === null) await clusterTrust(session);
  const admin = context.trust.admin();
  if (admin === null) throw new KeelsonError('CONFLICT', 'no admin identity was found', { host: plane.name });
  const { advertiseAddress: address, bindPort: port } = plane.localAPIEndpoint;
  return clusterClient(context.reader(plane.name), { address, port }, admin, context.signal);
}

export interface NodeFindings {
  /** Hosts of the file whose Node object is not there; their kubelets were told to register again. */
  missing: string[];
  /** Nodes that no host of the file has. */
  unknown: string[];
}

/**
 * Compares the cluster's nodes with the file. A kubelet registers its node only when it starts, so those whose node
 * the store does not know are started anew.
 */
export async function reconcileNodes(session: Session, plane: ControlPlaneHost): Promise<NodeFindings> {
  const { context, hosts, effects } = session;
  const client = await apiOn(session, plane);
  let nodes: KubeObject[];
  try {
    nodes = await client.list('/api/v1/nodes');
  } finally {
    await client.close();
  }
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  const expected = nodeHosts(context.config);
  const missing = expected.filter((host) => !known.has(host.nodeRegistration.name)).map(({ name }) => name);
  const reached = missing.filter((name) => hosts.has(name));
  await Promise.all(reached.map((name) => effects.host(name).service('restart', 'kubelet')));
  const names = new Set(expected.map((host) => host.nodeRegistration.name));
  return { missing, unknown: [...known].filter((name) => !names.has(name)).sort() };
}
