import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import type { ResolvedHost, Taint } from '../../config/types.js';
import type { Verdict } from '../../engine/phase.js';
import { SATISFIED } from '../../engine/phase.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { answering } from '../answering.js';
import type { PhaseContext } from '../context.js';
import { nodeRef } from './cordon.js';
import { describePatch, type NodePatch, taintsOf } from './node-patch.js';

/** What a node has to be changed in; null where it is as it should be. */
export type PatchOf = (host: ResolvedHost, node: KubeObject) => NodePatch | null;

/** Compares the Node objects of hosts with what they have to carry; nodes that are not there yet come later. */
export async function nodesVerdict(
  context: PhaseContext,
  hosts: readonly ResolvedHost[],
  patchOf: PatchOf,
): Promise<Verdict> {
  const client = context.api();
  const lacking = await Promise.all(
    hosts.map(async (host) => {
      const { name } = host.nodeRegistration;
      const node = client === null ? null : await nodeOrNull(client, host);
      const patch = patchOf(host, node ?? { apiVersion: 'v1', kind: 'Node', metadata: { name } });
      return patch === null ? null : { host, patch, fresh: node === null };
    }),
  );
  const found = lacking.filter((entry) => entry !== null);
  if (found.length === 0) return SATISFIED;
  return {
    standing: found.every(({ fresh }) => fresh) ? 'missing' : 'drifted',
    reasons: found.map(({ host, patch }) => `node ${host.name}: ${describePatch(patch)}`),
    changes: found.map(({ host, patch }) => ({
      kind: 'action',
      name: 'mark',
      summary: `labels and taints of node ${host.name}: ${describePatch(patch)}`,
      params: { host: host.name },
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

/** Waits for the node to register, then changes what has to be; a conflict with another writer is tried again. */
export async function markNode(
  context: PhaseContext,
  phase: string,
  host: ResolvedHost,
  patchOf: PatchOf,
): Promise<void> {
  const name = host.nodeRegistration.name;
  await waitUntil(
    async () => {
      const client = context.api();
      if (client === null) return { met: false, state: 'there is no API yet' };
      const node = await client.get(nodeRef(name));
      if (node === null) return { met: false, state: `node ${name} has not registered` };
      const patch = patchOf(host, node);
      if (patch === null) return { met: true, state: '' };
      try {
        await client.patch(nodeRef(name), bodyOf(node, patch));
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
      guard: answering(context, [host.name]),
      hint: `on ${host.name}: systemctl status kubelet, journalctl -u kubelet`,
      onState: (last) =>
        context.emit({ type: 'waiting', phase, host: host.name, for: 'node registration', last }),
    },
  );
}

/** A strategic merge patch; taints are one list, so the version that was looked at goes along. */
function bodyOf(node: KubeObject, patch: NodePatch): unknown {
  const isGone = (taint: Taint) =>
    [...patch.removeTaints, ...patch.setTaints].some(
      (other) => other.key === taint.key && other.effect === taint.effect,
    );
  const taints = [...taintsOf(node).filter((taint) => !isGone(taint)), ...patch.setTaints];
  return {
    metadata: {
      resourceVersion: node.metadata.resourceVersion,
      labels: patch.labels,
      annotations: patch.annotations,
    },
    ...(patch.setTaints.length + patch.removeTaints.length === 0 ? {} : { spec: { taints } }),
  };
}
