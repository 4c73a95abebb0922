import type { ClusterClient, KubeObject } from '../../cluster/client.js';

/** The reference of a Node object. */
export const nodeRef = (name: string) => ({ apiVersion: 'v1', kind: 'Node', name });

/** Whether the scheduler leaves the node out. */
export function isCordoned(node: KubeObject): boolean {
  return (node.spec as { unschedulable?: boolean } | undefined)?.unschedulable === true;
}

/**
 * Makes the scheduler leave a node out, or take it in again.
 * @returns false where it was so already
 */
export async function setCordoned(
  client: ClusterClient,
  node: KubeObject,
  cordoned: boolean,
): Promise<boolean> {
  if (isCordoned(node) === cordoned) return false;
  // null takes the field away, as kubectl uncordon does.
  await client.patch(nodeRef(node.metadata.name), { spec: { unschedulable: cordoned ? true : null } });
  return true;
}
