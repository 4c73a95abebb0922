import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import type { ResolvedHost, Taint } from '../../config/types.js';
import type { Verdict } from '../../engine/phase.js';
import { SATISFIED } from '../../engine/phase.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { PhaseContext } from '../context.js';

export interface NodeWishes {
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
}

interface NodeSpec {
  taints?: Taint[];
}

const nodeRef = (name: string) => ({ apiVersion: 'v1', kind: 'Node', name });

/** What of `wishes` the node lacks: labels with another value, taints that are not there. */
function lacking(node: KubeObject, wishes: NodeWishes): { labels: Record<string, string>; taints: Taint[] } {
  const present = (node.spec as NodeSpec | undefined)?.taints ?? [];
  const labels = Object.entries(wishes.labels).filter(
    ([key, value]) => node.metadata.labels?.[key] !== value,
  );
  const taints = wishes.taints.filter(
    (taint) => !present.some((other) => other.key === taint.key && other.effect === taint.effect),
  );
  return { labels: Object.fromEntries(labels), taints };
}

/** Compares the Node objects of hosts with what they have to carry. */
export async function nodesVerdict(
  context: PhaseContext,
  hosts: readonly ResolvedHost[],
  wishesOf: (host: ResolvedHost) => NodeWishes,
): Promise<Verdict> {
  const client = context.api();
  const verdicts = await Promise.all(
    hosts.map(async (host): Promise<string | null> => {
      const wishes = wishesOf(host);
      const node = client === null ? null : await nodeOrNull(client, host);
      if (node === null) return hasWishes(wishes) ? host.name : null;
      const missing = lacking(node, wishes);
      return hasWishes(missing) ? host.name : null;
    }),
  );
  const names = verdicts.filter((name) => name !== null);
  if (names.length === 0) return SATISFIED;
  return {
    standing: 'missing',
    reasons: names.map((name) => `node ${name} lacks labels or taints`),
    changes: names.map((name) => ({
      kind: 'action',
      name: 'mark',
      summary: `label and taint node ${name}: ${describe(wishesOf(context.hostNamed(name)))}`,
      params: { host: name },
    })),
  };
}

async function nodeOrNull(client: ClusterClient, host: ResolvedHost): Promise<KubeObject | null> {
  try {
    return await client.get(nodeRef(host.nodeRegistration.name));
  } catch (error) {
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return null;
    throw error;
  }
}

function hasWishes(wishes: NodeWishes): boolean {
  return Object.keys(wishes.labels).length > 0 || wishes.taints.length > 0;
}

function describe(wishes: NodeWishes): string {
  const labels = Object.entries(wishes.labels).map(([key, value]) =>
    value === '' ? key : `${key}=${value}`,
  );
  const taints = wishes.taints.map(
    (taint) => `${taint.key}${taint.value === undefined ? '' : `=${taint.value}`}:${taint.effect}`,
  );
  return [...labels, ...taints].join(', ');
}

/** Waits for the node to register, then adds what it lacks; a conflict with another writer is tried again. */
export async function markNode(
  context: PhaseContext,
  phase: string,
  host: ResolvedHost,
  wishes: NodeWishes,
): Promise<void> {
  const name = host.nodeRegistration.name;
  await waitUntil(
    async () => {
      const client = context.api();
      if (client === null) return { met: false, state: 'there is no API yet' };
      const node = await client.get(nodeRef(name));
      if (node === null) return { met: false, state: `node ${name} has not registered` };
      const missing = lacking(node, wishes);
      if (!hasWishes(missing)) return { met: true, state: '' };
      try {
        const taints = [...((node.spec as NodeSpec | undefined)?.taints ?? []), ...missing.taints];
        await client.patch(nodeRef(name), {
          metadata: { resourceVersion: node.metadata.resourceVersion, labels: missing.labels },
          ...(missing.taints.length === 0 ? {} : { spec: { taints } }),
        });
        return { met: true, state: '' };
      } catch (error) {
        const known = toKeelsonError(error);
        if (known.code !== 'CONFLICT') throw error;
        return { met: false, state: known.message };
      }
    },
    {
      for: `node ${name} to register`,
      deadlineMs: 180_000,
      intervalMs: 100,
      signal: context.signal,
      hint: `on ${host.name}: systemctl status kubelet, journalctl -u kubelet`,
      onState: (last) =>
        context.emit({ type: 'waiting', phase, host: host.name, for: 'node registration', last }),
    },
  );
}
