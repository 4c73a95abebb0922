import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { etcdHosts } from '../config/inventory.js';
import { isDnsName } from '../config/schema/common.js';
import type { ClusterConfig } from '../config/types.js';
import { eitherSignal } from '../engine/signals.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { nodeRef, setCordoned } from '../phases/nodes/cordon.js';
import { type DrainOptions, drainNode } from '../phases/nodes/drain.js';
import { clusterApi } from './cluster-api.js';
import type { Session } from './session.js';

/** What happened to one node. */
export interface NodeResult {
  node: string;
  /** False where the node was so already. */
  changed: boolean;
  /** Pods that left; only of a drain. */
  pods?: number;
}

/**
 * Cordons nodes, or takes them in again.
 * @param names hosts of the file, or nodes of the cluster that the file has not
 * @throws USAGE for a name that is neither
 */
export async function cordonNodes(
  session: Session,
  names: readonly string[],
  cordoned: boolean,
): Promise<NodeResult[]> {
  const client = await clusterApi(session);
  const nodes = await nodesNamed(session.context.config, client, names);
  return Promise.all(
    nodes.map(async (node) => ({
      node: node.metadata.name,
      changed: await setCordoned(client, node, cordoned),
    })),
  );
}

/**
 * Drains nodes, all at once: all are cordoned before the first pod moves, so that none moves twice.
 * @throws what `drainNode` throws; USAGE for an unknown name
 */
export async function drainNodes(
  session: Session,
  names: readonly string[],
  options: Omit<DrainOptions, 'signal' | 'onState'> & { stop?: AbortSignal },
): Promise<NodeResult[]> {
  const { context, emit } = session;
  const client = await clusterApi(session);
  const nodes = await nodesNamed(context.config, client, names);
  const signal = eitherSignal(context.signal, options.stop);
  if (nodes.length > 1) await Promise.all(nodes.map((node) => setCordoned(client, node, true)));
  return Promise.all(
    nodes.map(async ({ metadata: { name } }) => {
      const onState = (last: string) =>
        emit({ type: 'waiting', phase: 'node/drain', host: name, for: 'pods to leave', last });
      const pods = await drainNode(client, name, { ...options, signal, onState });
      return { node: name, changed: pods > 0, pods };
    }),
  );
}

/**
 * Refuses names that no node can have, as far as that shows without the cluster.
 * @throws USAGE for what is no name, and for hosts that are no nodes
 */
export function refuseNoNodes(config: ClusterConfig, names: readonly string[]): void {
  for (const name of names) {
    if (!isDnsName(name)) {
      throw new KeelsonError('USAGE', `"${name}" is no name of a node`, {
        hint: 'keelson status lists all nodes',
      });
    }
    if (etcdHosts(config).some((host) => host.name === name)) {
      throw new KeelsonError('USAGE', `${name} is a host of role etcd, and no node`, {
        hint: 'it has no pods to move; keelson node remove takes it out',
      });
    }
  }
}

/** Node objects of hosts of the file, or of nodes that the file has not. */
async function nodesNamed(
  config: ClusterConfig,
  client: ClusterClient,
  names: readonly string[],
): Promise<KubeObject[]> {
  return Promise.all(
    [...new Set(names)].map(async (name) => {
      const host = config.hosts.find((candidate) => candidate.name === name);
      const node = await client.get(nodeRef(host?.nodeRegistration.name ?? name));
      if (node !== null) return node;
      throw new KeelsonError('USAGE', `there is no node ${name} in the cluster`, {
        hint: 'keelson status lists all nodes',
      });
    }),
  );
}
