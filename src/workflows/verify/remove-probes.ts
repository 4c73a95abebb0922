import { type ClusterClient, type KubeObject, refOf } from '../../cluster/client.js';
import { pathOf } from '../../cluster/paths.js';
import { waitUntil } from '../../engine/wait.js';
import { PROBE_APP, PROBE_LABEL, WANDERER_APP } from '../../manifests/probe.js';
import { nodeOf, nodeProblem } from './pods.js';

/** Namespaces take 5 s at least: the controller manager waits that long before it begins. */
const DEADLINE_MS = 90_000;
/** After so long, pods are looked for whose end no kubelet will report. */
const STUCK_MS = 8000;
const LABEL_SELECTOR = `labelSelector=${encodeURIComponent(PROBE_LABEL)}`;

/** Asks for the deletion of every probe namespace; returns their names. */
export async function deleteProbes(client: ClusterClient): Promise<string[]> {
  const names = (await client.list(`/api/v1/namespaces?${LABEL_SELECTOR}`)).map((one) => one.metadata.name);
  await Promise.all(names.map((name) => client.remove({ apiVersion: 'v1', kind: 'Namespace', name })));
  return names;
}

/** Deletes all probe namespaces and waits until they are gone. Only a hard abort ends it early. */
export async function removeProbes(client: ClusterClient, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const names = await deleteProbes(client);
  // The pods go at once, while the namespace controller still bides its time.
  const owners = [
    { kind: 'DaemonSet', name: PROBE_APP },
    { kind: 'Deployment', name: WANDERER_APP },
  ];
  await Promise.all(
    names.flatMap((namespace) =>
      owners.map((owner) =>
        client.remove({ apiVersion: 'apps/v1', namespace, ...owner }).catch(() => undefined),
      ),
    ),
  );
  await waitUntil(
    async () => {
      const left = await client.list(`/api/v1/namespaces?${LABEL_SELECTOR}`);
      if (left.length > 0 && performance.now() - started > STUCK_MS) await dropUnconfirmed(client);
      return { met: left.length === 0, state: left.map(terminationOf).join('; ') };
    },
    { for: 'the probe namespaces to be gone', deadlineMs: DEADLINE_MS, signal },
  );
}

/** Where no kubelet runs, nobody confirms that a pod has ended, and it would stay for ever. */
async function dropUnconfirmed(client: ClusterClient): Promise<void> {
  const [nodes, pods] = await Promise.all([
    client.list('/api/v1/nodes'),
    client.list(`/api/v1/pods?${LABEL_SELECTOR}`),
  ]);
  const ready = new Set(nodes.filter((node) => nodeProblem(node) === null).map((node) => node.metadata.name));
  await Promise.all(
    pods
      .filter((pod) => !ready.has(nodeOf(pod)))
      .map((pod) =>
        client
          .request('DELETE', pathOf({ ...refOf(pod), apiVersion: 'v1', kind: 'Pod' }), {
            body: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 }),
          })
          .catch(() => undefined),
      ),
  );
}

function terminationOf(namespace: KubeObject): string {
  const { conditions = [] } = (namespace.status ?? {}) as {
    conditions?: { status: string; message?: string }[];
  };
  const held = conditions.filter((one) => one.status === 'True').map((one) => one.message ?? '');
  return [namespace.metadata.name, ...held].join(': ');
}
