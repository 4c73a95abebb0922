import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { nodeRef, setCordoned } from './cordon.js';
import { type DrainPolicy, podName, podsToDrain } from './drain-pods.js';
import { evict } from './evict.js';

export interface DrainOptions extends DrainPolicy {
  /** Milliseconds until the drain is given up. */
  timeoutMs: number;
  /** Seconds that pods get to end; null for each pod's own. */
  graceSeconds: number | null;
  signal: AbortSignal;
  /** What is waited for, whenever it changes. */
  onState?: (state: string) => void;
}

/** A budget that blocks is asked again so often; kubectl waits 5 s. */
const RETRY_MS = 1000;

/** Pods that the API knows on a node. */
export function podsOn(client: ClusterClient, node: string): Promise<KubeObject[]> {
  return client.list(`/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`);
}

/**
 * Cordons a node, evicts its pods as far as their disruption budgets allow, and waits until they are gone.
 * @returns number of pods that left
 * @throws CONFLICT, before anything is changed, for pods that would lose more than their place; DEADLINE naming
 * pods and budgets that are in the way (the node stays cordoned); CONFLICT where there is no such node
 */
export async function drainNode(client: ClusterClient, name: string, options: DrainOptions): Promise<number> {
  const node = await client.get(nodeRef(name));
  if (node === null) throw new KeelsonError('CONFLICT', `there is no node ${name}`);
  const { refused } = podsToDrain(await podsOn(client, name), options);
  if (refused.length > 0) throw refusal(name, refused);
  await setCordoned(client, node, true);

  const left = new Set<string>();
  const asked = new Map<string, { at: number; blocked: string | null }>();
  await waitUntil(
    async () => {
      // Pods that came between the look and the cordon are held to the same rules.
      const { evict: going, refused: late } = podsToDrain(await podsOn(client, name), options);
      if (late.length > 0) throw refusal(name, late);
      const now = Date.now();
      const due = going.filter((pod) => {
        left.add(uidOf(pod));
        const before = asked.get(uidOf(pod));
        return before === undefined || (before.blocked !== null && now - before.at >= RETRY_MS);
      });
      await Promise.all(
        due.map(async (pod) => {
          const result = await evict(client, pod, options.graceSeconds);
          asked.set(uidOf(pod), { at: now, blocked: result.outcome === 'blocked' ? result.by : null });
        }),
      );
      return { met: going.length === 0, state: stateOf(going, asked) };
    },
    {
      for: `the pods of node ${name} to leave`,
      deadlineMs: options.timeoutMs,
      intervalMs: 200,
      signal: options.signal,
      hint: `the node stays cordoned: drain it again, or let it take pods with keelson node uncordon ${name}`,
      ...(options.onState === undefined ? {} : { onState: options.onState }),
    },
  );
  return left.size;
}

function refusal(node: string, refused: readonly string[]): KeelsonError {
  return new KeelsonError('CONFLICT', `node ${node} is not drained, because of\n  ${refused.join('\n  ')}`, {
    hint: 'move these pods yourself, or give the options that the lines name',
    details: refused,
  });
}

/** Budgets that block come first: they are what someone has to do something about. */
function stateOf(
  going: readonly KubeObject[],
  asked: ReadonlyMap<string, { blocked: string | null }>,
): string {
  const blocked = going.flatMap((pod) => asked.get(uidOf(pod))?.blocked ?? []);
  const ending = going.filter((pod) => (asked.get(uidOf(pod))?.blocked ?? null) === null).map(podName);
  return [
    ...blocked,
    ...(ending.length === 0 ? [] : [`${ending.length === 1 ? 'pod' : 'pods'} ending: ${ending.join(', ')}`]),
  ].join('; ');
}

const uidOf = (pod: KubeObject) => String(pod.metadata.uid);
