import { etcdHosts, hostNamed } from '../config/inventory.js';
import { settle } from '../engine/settle.js';
import type { Plan, TaskPlan } from '../engine/types.js';
import { waitUntil } from '../engine/wait.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { nodeRef } from '../phases/nodes/cordon.js';
import type { LeaveOptions } from '../phases/nodes/leave.js';
import { APPLY_PHASES } from '../phases/phases.js';
import type { ApplyResult } from './apply.js';
import { clusterApi } from './cluster-api.js';
import { type Followers, planFollowers, runFollowers } from './followers.js';
import { planLeaving, reachLeaving, runLeaving } from './leave.js';
import { withLock } from './lock.js';
import { changesIn } from './plan.js';
import { refuseBlocked } from './refuse-blocked.js';
import { reportedRun } from './reported.js';
import { observeTrust } from './require.js';
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

interface PlannedRemoval {
  plan: Plan;
  followers: Followers;
  leaving: TaskPlan[];
}

/** What removing a host would change, on the hosts that stay too. Reads only. */
export async function planRemoval(session: Session, name: string, options: RemoveOptions): Promise<Plan> {
  return (await planned(session, name, options)).plan;
}

async function planned(session: Session, name: string, options: RemoveOptions): Promise<PlannedRemoval> {
  const { context, configDigest } = session;
  const { role } = context.hostNamed(name);
  await clusterApi(session);
  if (options.unreachable) await refuseReachable(session, name);
  else await reachLeaving(session, [name]);
  if (role === 'etcd') {
    // Which of them answer is for the quorum to judge.
    await session.reach(etcdHosts(context.config).map((host) => host.name));
    await observeTrust(session);
  }
  const followers = await planFollowers(session, role, [name]);
  const leaving = await planLeaving(session, [name], leaveOptions(options));
  const tasks = [...followers.tasks, ...leaving];
  const plan: Plan = { formatVersion: 1, cluster: context.config.name, configDigest, tasks, leaving: [name] };
  return { plan, followers, leaving };
}

/**
 * Takes one host out of a cluster that lives on: the other hosts count on it no more, pods moved, etcd member out,
 * host reset, Node object and tokens deleted. A dead host's member and Node object go all the same. Safe to repeat.
 * @param session in which the host is absent, so that nothing is done through it
 * @throws PREFLIGHT for pods that would be lost and for a quorum that would break; CONFLICT for a host that is said
 * to be dead and is not; CONNECTION, DEADLINE, LOCKED, ABORTED
 */
export async function removeHost(
  session: Session,
  name: string,
  options: RemoveOptions & { owner: string; stop?: AbortSignal },
): Promise<ApplyResult> {
  const { context } = session;
  const started = context.now();
  const run = 'node remove';
  return withLock(session, { owner: options.owner, run }, async () => {
    const { plan, followers, leaving } = await planned(session, name, options);
    refuseBlocked(plan);
    if (options.unreachable) await awaitDeath(session, name);
    const stop = options.stop ?? new AbortController().signal;
    const hosts = [...followers.hosts.map((host) => host.name), name];
    const done = await reportedRun(session, { run, hosts, tasks: plan.tasks }, started, async (emit) => {
      await runFollowers(session, followers, { run, emit, stop });
      await runLeaving({ ...session, emit }, [name], {
        tasks: leaving,
        drain: leaveOptions(options),
        stop,
      });
      // Where hosts are dead, more may be amiss than this can mend, and it must not keep the next one from leaving.
      if (changesIn(plan) > 0 && !options.unreachable)
        await settle({ phases: APPLY_PHASES, context, emit, stop });
    });
    return { plan, ...done };
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
