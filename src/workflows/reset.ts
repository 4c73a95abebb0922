import { controlPlanes, etcdHosts, hostNamed, withAbsent } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import type { Emit } from '../engine/events.js';
import { STATE_DIR } from '../engine/journal.js';
import { runTasks } from '../engine/runner.js';
import type { Plan } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { resetPhases } from '../phases/reset/phases.js';
import { NO_JOURNAL, planLeaving, reachLeaving, runLeaving } from './leave.js';
import { lockHosts, withLock } from './lock.js';
import { makePlan } from './plan.js';
import { refuseBlocked } from './refuse-blocked.js';
import { reportedRun } from './reported.js';
import { observeTrust } from './require.js';
import type { Session } from './session.js';

export interface ResetSelection {
  /** Hosts to reset; [] for all. */
  hosts: readonly string[];
}

export interface ResetOptions extends ResetSelection {
  /** Who holds the lock, as others are told. */
  owner: string;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
}

export interface ResetResult {
  plan: Plan;
  hosts: string[];
  changed: number;
  durationMs: number;
}

/** The lock's directory, which the lock itself has brought back. */
const REMOVE_EMPTY_STATE = `rmdir ${STATE_DIR} 2>/dev/null\nexit 0\n`;

/**
 * The hosts that a reset is about, in the order of the file.
 * @throws USAGE for an unknown name
 */
export function hostsToReset(config: ClusterConfig, { hosts }: ResetSelection): string[] {
  const named = new Set(hosts.map((name) => hostNamed(config, name).name));
  const chosen = config.hosts.filter((host) =>
    named.size === 0 ? host.state === 'present' : named.has(host.name),
  );
  const names = chosen.map((host) => host.name);
  refuseMemberLoss(config, names);
  return names;
}

/** Whether the cluster goes on without these hosts. */
function livesOnWithout(config: ClusterConfig, hosts: readonly string[]): boolean {
  return controlPlanes(config).some((host) => !hosts.includes(host.name));
}

/**
 * The configuration to open the session of a reset with: hosts that leave a cluster which lives on are absent, so
 * that nothing is done through them.
 */
export function configOfReset(config: ClusterConfig, hosts: readonly string[]): ClusterConfig {
  return livesOnWithout(config, hosts) ? withAbsent(config, hosts) : config;
}

/** etcd's members on hosts of role etcd go all at once, and not before the control planes that live on them. */
function refuseMemberLoss(config: ClusterConfig, chosen: readonly string[]): void {
  const going = etcdHosts(config).filter(({ name }) => chosen.includes(name));
  const left = [...etcdHosts(config), ...controlPlanes(config)].filter(({ name }) => !chosen.includes(name));
  if (going.length === 0 || left.length === 0) return;
  const names = (hosts: readonly { name: string }[]) => hosts.map(({ name }) => name).join(', ');
  throw new KeelsonError(
    'CONFLICT',
    `${names(going)} can't be reset while ${names(left)} ${left.length === 1 ? 'stays' : 'stay'}: etcd is there for them`,
    {
      hint: 'keelson node remove takes one host of role etcd out; a reset is of all of them and the control planes',
    },
  );
}

/** What a reset would remove, host by host. Reads only. */
export async function planReset(session: Session, selection: ResetSelection): Promise<Plan> {
  return (await planned(session, selection)).plan;
}

interface PlannedReset {
  plan: Plan;
  hosts: string[];
  execute: (stop: AbortSignal, emit: Emit) => Promise<number>;
}

async function planned(session: Session, selection: ResetSelection): Promise<PlannedReset> {
  const { context } = session;
  const hosts = hostsToReset(context.config, selection);
  if (livesOnWithout(context.config, hosts)) return plannedLeave(session, hosts);
  const phases = resetPhases([]);
  const plan = await makePlan(session, { phases, hosts });
  const execute = (stop: AbortSignal, emit: Emit) =>
    runTasks({
      phases,
      tasks: plan.tasks,
      context,
      readers: session.readers,
      effects: session.effects,
      journal: NO_JOURNAL,
      emit,
      concurrency: Math.max(8, context.config.spec.concurrency * 4),
      stop,
    });
  return { plan, hosts, execute };
}

/** Pods are not moved away first: a reset is for hosts that are given up, `node remove` for those that work. */
async function plannedLeave(session: Session, hosts: string[]): Promise<PlannedReset> {
  const { context, configDigest } = session;
  if (hosts.includes(context.first.name)) {
    throw new KeelsonError('BUG', `the session works through ${context.first.name}, which leaves`);
  }
  await observeTrust(session);
  await reachLeaving(session, hosts);
  const tasks = await planLeaving(session, hosts, null);
  const plan: Plan = { formatVersion: 1, cluster: context.config.name, configDigest, tasks, leaving: hosts };
  const execute = (stop: AbortSignal, emit: Emit) =>
    runLeaving({ ...session, emit }, hosts, { tasks, drain: null, stop });
  return { plan, hosts, execute };
}

/**
 * Takes hosts back to what they were before keelson: whatever kubelet, runtime, network and keelson made is
 * removed, also from a host that is half installed or whose cluster does not answer. Safe to repeat. Files that
 * keelson overwrote don't come back.
 * @param session of `configOfReset`
 * @throws PREFLIGHT where a control plane would go at the price of etcd's quorum, CONFLICT, LOCKED, ABORTED, and
 * what a host said
 */
export async function resetCluster(session: Session, options: ResetOptions): Promise<ResetResult> {
  const { context } = session;
  const started = context.now();
  hostsToReset(context.config, options);
  try {
    return await withLock(session, { owner: options.owner, run: 'reset', duringRotation: true }, async () => {
      const { plan, hosts, execute } = await planned(session, options);
      refuseBlocked(plan);
      const stop = options.stop ?? new AbortController().signal;
      const done = await reportedRun(session, { run: 'reset', hosts, tasks: plan.tasks }, started, (emit) =>
        execute(stop, emit),
      );
      return { plan, hosts, ...done };
    });
  } catch (thrown) {
    if (!(thrown instanceof KeelsonError) || thrown.code !== 'ABORTED') throw thrown;
    const hint = 'run keelson reset again: it goes on from here';
    throw new KeelsonError('ABORTED', thrown.message, { hint, cause: thrown });
  } finally {
    const tidy = { name: 'reset/state-directory', text: REMOVE_EMPTY_STATE };
    await Promise.all(lockHosts(session).map((host) => host.script(tidy).catch(() => undefined)));
  }
}
