import type { KubeObject } from '../../cluster/client.js';
import { eitherSignal } from '../../engine/signals.js';
import type { ActionChange } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { DRAINED } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { isCordoned, nodeRef, setCordoned } from './cordon.js';
import { drainNode, podsOn } from './drain.js';
import { type DrainPolicy, podsToDrain } from './drain-pods.js';
import { deleteAtOnce } from './evict.js';

export interface LeaveOptions {
  /** Also pods that nothing brings back. */
  force: boolean;
  /** Milliseconds until a drain is given up. */
  timeoutMs: number;
  /** The hosts are dead: nobody there ends a pod, so their pods are deleted at once. */
  dead: boolean;
  /** Soft stop of the wait for pods. */
  stop?: AbortSignal;
}

/** A host that leaves takes its emptyDir volumes along; that is agreed. */
const policyOf = ({ force, dead }: LeaveOptions): DrainPolicy => ({
  force: force || dead,
  deleteEmptyDirData: true,
});

/** Moves pods away from hosts that leave the cluster for good. */
export const drainLeaving = (hosts: readonly string[], options: LeaveOptions) =>
  defineClusterPhase({
    name: 'nodes/drain',
    summary: 'pods moved away from nodes that leave, as far as disruption budgets allow',
    target: 'cluster',
    needs: [],
    provides: [DRAINED],
    check: async (context) => {
      const found = await Promise.all(hosts.map((host) => look(context, host, options)));
      const refused = found.flatMap((entry) => entry.refused);
      const changes = found.flatMap((entry) => entry.changes);
      if (refused.length > 0) return { standing: 'blocked', reasons: refused, changes: [] };
      return {
        standing: changes.length === 0 ? 'satisfied' : 'drifted',
        reasons: changes.map((change) => change.summary),
        changes,
      };
    },
    actions: {
      drain: async (context, change) => {
        const name = change.params?.node ?? '';
        await drainNode(clientOf(context), name, {
          ...policyOf(options),
          timeoutMs: options.timeoutMs,
          graceSeconds: null,
          signal: eitherSignal(context.signal, options.stop),
          onState: (last) =>
            context.emit({ type: 'waiting', phase: 'nodes/drain', host: name, for: 'pods to leave', last }),
        });
      },
      abandon: async (context, change) => {
        const client = clientOf(context);
        const name = change.params?.node ?? '';
        const node = await client.get(nodeRef(name));
        if (node !== null) await setCordoned(client, node, true);
        const { evict } = podsToDrain(await podsOn(client, name), policyOf(options));
        await Promise.all(evict.map((pod) => deleteAtOnce(client, pod)));
      },
    },
  });

async function look(
  context: PhaseContext,
  host: string,
  options: LeaveOptions,
): Promise<{ refused: string[]; changes: ActionChange[] }> {
  const client = context.api();
  const { name } = context.hostNamed(host).nodeRegistration;
  const node = await client?.get(nodeRef(name));
  if (client === null || node === null || node === undefined) return { refused: [], changes: [] };
  const { evict, refused } = podsToDrain(await podsOn(client, name), policyOf(options));
  if (evict.length === 0 && isCordoned(node)) return { refused, changes: [] };
  return { refused, changes: [changeFor(name, evict, options)] };
}

function changeFor(node: string, pods: readonly KubeObject[], { dead }: LeaveOptions): ActionChange {
  const what = `${pods.length} ${pods.length === 1 ? 'pod' : 'pods'}`;
  return {
    kind: 'action',
    name: dead ? 'abandon' : 'drain',
    summary: dead
      ? `cordon node ${node} and give up ${what} on it without waiting`
      : `drain node ${node} of ${what}`,
    params: { node },
    disrupts: true,
  };
}

function clientOf(context: PhaseContext) {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to drain nodes with');
  return client;
}
