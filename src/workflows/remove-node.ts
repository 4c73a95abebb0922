import { hostNamed } from '../config/inventory.js';
import type { Plan } from '../engine/types.js';
import { waitUntil } from '../engine/wait.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { nodeRef } from '../phases/nodes/cordon.js';
import type { LeaveOptions } from '../phases/nodes/leave.js';
import type { ApplyResult } from './apply.js';
import { clusterApi } from './cluster-api.js';
import { planLeaving, reachLeaving, runLeaving } from './leave.js';
import { withLock } from './lock.js';
import { changesIn } from './plan.js';
import { refuseBlocked } from './refuse-blocked.js';
import type { Session } from './session.js';

export interface RemoveOptions {
  /** Also pods that nothing brings back. */
  force: boolean;
  /** Milliseconds until a drain is given up. */
  timeoutMs: number;
  /** The host is dead: nothing is done on it, and nobody waits for its pods. */
  unreachable: boolean;
}

/** Milliseconds in which the controller manager notices that a node is gone; its own grace period is 40 s. */
const NOTICE_MS = 90_000;

/** What removing a host would change. Reads only. */
export async function planRemoval(session: Session, name: string, options: RemoveOptions): Promise<Plan> {
  const { context, configDigest } = session;
  if (context.hostNamed(name).role === 'etcd') {
    throw new KeelsonError('USAGE', `${name} is a host of role etcd and no node`, {
      hint: 'its member stays as long as the cluster: keelson reset takes both',
    });
  }
  await clusterApi(session);
  if (options.unreachable) await refuseReachable(session, name);
  else await reachLeaving(session, [name]);
  const tasks = await planLeaving(session, [name], leaveOptions(options));
  return { formatVersion: 1, cluster: context.config.name, configDigest, tasks, leaving: [name] };
}

/**
 * Takes one host out of a cluster that lives on: pods moved, etcd member out, host reset, Node object and tokens
 * deleted. A dead host's member and Node object go all the same. Safe to repeat.
 * @param session in which the host is absent, so that nothing is done through it
 * @throws PREFLIGHT for pods that would be lost and for a quorum that would break; CONFLICT for a host that is said
 * to be dead and is not; CONNECTION, DEADLINE, LOCKED, ABORTED
 */
export async function removeHost(
  session: Session,
  name: string,
  options: RemoveOptions & { owner: string; stop?: AbortSignal },
): Promise<ApplyResult> {
  const { context, emit } = session;
  const started = context.now();
  const run = 'node remove';
  return withLock(session, { owner: options.owner, run }, async () => {
    const plan = await planRemoval(session, name, options);
    refuseBlocked(plan);
    if (options.unreachable) await awaitDeath(session, name);
    const pending = plan.tasks.filter((task) => task.changes.length > 0);
    emit({ type: 'run-started', run, hosts: [name], tasks: pending.length });
    let ok = false;
    try {
      const changed = await runLeaving(session, [name], {
        tasks: plan.tasks,
        drain: leaveOptions(options),
        ...(options.stop === undefined ? {} : { stop: options.stop }),
      });
      ok = true;
      return { plan, changed, durationMs: context.now() - started };
    } finally {
      const durationMs = context.now() - started;
      emit({ type: 'run-finished', run, ok, changed: changesIn(plan), durationMs });
    }
  });
}

const leaveOptions = ({ force, timeoutMs, unreachable }: RemoveOptions): LeaveOptions => ({
  force,
  timeoutMs,
  dead: unreachable,
});

async function refuseReachable(session: Session, name: string): Promise<void> {
  const failures = await session.reach([name]);
  if (failures.has(name)) return;
  throw new KeelsonError('CONFLICT', `${name} answers, so it is not unreachable`, {
    host: name,
    hint: `without --unreachable it is drained and reset`,
  });
}

/** Pods of a node that still lives must not be started a second time elsewhere. */
async function awaitDeath({ context, emit }: Session, name: string): Promise<void> {
  const client = context.api();
  const node = hostNamed(context.config, name).nodeRegistration.name;
  await waitUntil(
    async () => {
      const object = await client?.get(nodeRef(node));
      const { conditions = [] } = (object?.status ?? {}) as {
        conditions?: { type: string; status: string }[];
      };
      const ready = conditions.find(({ type }) => type === 'Ready')?.status === 'True';
      return { met: !ready, state: `the API takes node ${node} for Ready` };
    },
    {
      for: `node ${node} to be taken for dead`,
      deadlineMs: NOTICE_MS,
      signal: context.signal,
      hint: `its kubelet still reports, though ${name} can't be reached over SSH: cut its power first`,
      onState: (last) => emit({ type: 'waiting', phase: 'node remove', host: name, for: 'its end', last }),
    },
  );
}
