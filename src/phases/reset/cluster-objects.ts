import type { ClusterClient } from '../../cluster/client.js';
import type { ObjectChange } from '../../engine/types.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import { TOKEN_NAMESPACE, TOKEN_SECRET_TYPE } from '../../join/token.js';
import { DRAINED, MEMBERS_OUT } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { PODS_GONE } from './artefacts.js';
import { leftover } from './leftover.js';

/** How `join/worker` describes the one-time token of a host. */
const describes = (host: string) => Buffer.from(`keelson joins ${host}`).toString('base64');

/** Deletes what a cluster that lives on knows of `hosts`: their Node objects, and join tokens left behind. */
export const deleteClusterObjects = (hosts: readonly string[]) =>
  defineClusterPhase({
    name: 'reset/cluster-objects',
    summary: 'Node objects and join tokens of the hosts deleted from the cluster',
    target: 'cluster',
    // The Node object is what an interrupted removal is found by, so it goes last.
    needs: [DRAINED, MEMBERS_OUT, PODS_GONE],
    provides: [],
    check: async (context) => {
      const client = context.api();
      if (client === null) return leftover([]);
      try {
        return leftover([...(await nodesOf(context, client, hosts)), ...(await tokensOf(client, hosts))]);
      } catch (error) {
        context.emit({
          type: 'note',
          host: '',
          level: 'warning',
          text: `Node objects stay, since the API does not answer: ${toKeelsonError(error).message}`,
        });
        return leftover([]);
      }
    },
  });

async function nodesOf(
  context: PhaseContext,
  client: ClusterClient,
  hosts: readonly string[],
): Promise<ObjectChange[]> {
  const found = await Promise.all(
    hosts.map(async (host) => {
      const { name } = context.hostNamed(host).nodeRegistration;
      return (await client.get({ apiVersion: 'v1', kind: 'Node', name })) === null ? null : name;
    }),
  );
  return found
    .filter((name) => name !== null)
    .map((name) => deletion('Node', '', name, `host of node ${name} is reset`));
}

async function tokensOf(client: ClusterClient, hosts: readonly string[]): Promise<ObjectChange[]> {
  const wanted = new Set(hosts.map(describes));
  const secrets = await client.list(
    `/api/v1/namespaces/${TOKEN_NAMESPACE}/secrets?fieldSelector=type%3D${encodeURIComponent(TOKEN_SECRET_TYPE)}`,
  );
  return secrets
    .filter((secret) => wanted.has((secret.data as Record<string, string> | undefined)?.description ?? ''))
    .map((secret) => deletion('Secret', TOKEN_NAMESPACE, secret.metadata.name, 'its host is reset'));
}

function deletion(objectKind: string, namespace: string, name: string, reason: string): ObjectChange {
  return { kind: 'object', op: 'delete', apiVersion: 'v1', objectKind, namespace, name, reason };
}
