import { absentHosts, memberSettings } from '../config/inventory.js';
import type { HostEntry } from '../engine/phase.js';
import { planTasks } from '../engine/planner.js';
import { runTasks } from '../engine/runner.js';
import type { TaskPlan } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { combineFailures } from '../host/pool.js';
import type { KeelsonPhase, PhaseContext } from '../phases/context.js';
import { stopApiServer } from '../phases/control-plane/stop.js';
import { membersOf, removeMembers } from '../phases/etcd/remove.js';
import { firstMember } from '../phases/etcd-access.js';
import { drainLeaving, type LeaveOptions } from '../phases/nodes/leave.js';
import { resetPhases } from '../phases/reset/phases.js';
import type { Session } from './session.js';

/** What a removal does unless told otherwise. */
export const LEAVE_DEFAULTS: LeaveOptions = { force: false, timeoutMs: 600_000, dead: false };

/** Nothing is written to the journals of hosts that leave: they are among what goes. */
export const NO_JOURNAL = { begin: async () => undefined, finish: async () => undefined };

/**
 * Phases by which hosts leave a cluster that lives on: pods moved, the API server stopped, the etcd member out,
 * the host reset, its Node object and tokens deleted, in this order.
 * @param drain null leaves the pods where they are
 */
function leavePhases(hosts: readonly string[], drain: LeaveOptions | null): KeelsonPhase[] {
  return [
    ...(drain === null ? [] : [drainLeaving(hosts, drain)]),
    stopApiServer,
    removeMembers(hosts),
    ...resetPhases(hosts),
  ];
}

const LEAVE_NAMES = new Set(leavePhases([''], LEAVE_DEFAULTS).map((phase) => phase.name));

/** Whether a task of a plan belongs to hosts that leave. */
export const isLeaving = (task: TaskPlan): boolean => LEAVE_NAMES.has(task.phase);

/** The context of a session in which there are only these hosts. */
function contextOf({ context, hosts }: Session, names: readonly string[]): PhaseContext {
  const inventory = names
    .filter((name) => hosts.has(name))
    .map((name): HostEntry => ({ name, role: context.hostNamed(name).role }));
  return { ...context, inventory };
}

/**
 * Hosts that the file wants removed and that the cluster still knows, by Node object or etcd member. Asks nothing
 * where no host is absent. A cluster that does not answer is an error of what comes after; here it knows nobody.
 */
export async function leavingHosts({ context }: Session): Promise<string[]> {
  const absent = absentHosts(context.config);
  const client = absent.length === 0 ? null : context.api();
  if (client === null) return [];
  try {
    const nodes = new Set((await client.list('/api/v1/nodes')).map((node) => node.metadata.name));
    const members = await memberHosts(
      context,
      absent
        .filter((host) => memberSettings(context.config.cluster, host) !== undefined)
        .map(({ name }) => name),
    );
    return absent
      .filter((host) => nodes.has(host.nodeRegistration.name) || members.has(host.name))
      .map((host) => host.name);
  } catch (error) {
    if (error instanceof KeelsonError && (error.code === 'CONNECTION' || error.code === 'CONFLICT'))
      return [];
    throw error;
  }
}

async function memberHosts(context: PhaseContext, names: readonly string[]): Promise<Set<string>> {
  if (names.length === 0) return new Set();
  const client = await firstMember(context);
  try {
    return new Set(membersOf(context, await client.members(), names).map(({ host }) => host));
  } finally {
    await client.close();
  }
}

/**
 * Connects to hosts that leave.
 * @throws what connecting failed with, and what to do where a host is gone for good
 */
export async function reachLeaving(session: Session, names: readonly string[]): Promise<void> {
  const failures = [...(await session.reach(names)).values()];
  if (failures.length === 0) return;
  const error = combineFailures(failures, failures.length);
  const gone = failures.map((failure) => failure.host ?? '').join(' and ');
  throw new KeelsonError(error.code, error.message, {
    host: error.host,
    cause: error,
    hint: `a host that can't be reached is not reset; where it is gone for good: keelson node remove ${gone} --unreachable`,
  });
}

/** What it takes for connected hosts to leave; those that are not connected leave without being reset. */
export function planLeaving(
  session: Session,
  names: readonly string[],
  drain: LeaveOptions | null = LEAVE_DEFAULTS,
): Promise<TaskPlan[]> {
  return planTasks({
    phases: leavePhases(names, drain),
    context: contextOf(session, names),
    readers: session.readers,
    emit: session.emit,
  });
}

export interface LeaveRun {
  tasks: readonly TaskPlan[];
  drain: LeaveOptions | null;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
}

/** Does what `planLeaving` planned. @returns number of changes made */
export async function runLeaving(
  session: Session,
  names: readonly string[],
  { tasks, drain, stop }: LeaveRun,
): Promise<number> {
  if (names.length === 0) return 0;
  return runTasks({
    phases: leavePhases(names, drain === null || stop === undefined ? drain : { ...drain, stop }),
    tasks,
    context: contextOf(session, names),
    readers: session.readers,
    effects: session.effects,
    journal: NO_JOURNAL,
    emit: session.emit,
    concurrency: Math.max(8, session.context.config.spec.concurrency * 4),
    stop: stop ?? new AbortController().signal,
  });
}
