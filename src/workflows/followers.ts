import { controlPlanes, presentHosts } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import type { Emit } from '../engine/events.js';
import { hostJournal } from '../engine/journal.js';
import type { HostEntry } from '../engine/phase.js';
import { planTasks } from '../engine/planner.js';
import { runTasks } from '../engine/runner.js';
import type { TaskPlan } from '../engine/types.js';

import { balancedOn, HAPROXY_CONFIG } from '../manifests/endpoint/haproxy.js';
import type { KeelsonPhase, PhaseContext } from '../phases/context.js';
import { MANIFESTS_DIR } from '../phases/paths.js';
import { exists } from '../phases/seen.js';
import { phasesNamed } from './phase-selection.js';
import type { Session } from './session.js';

type Role = ResolvedHost['role'];

interface Following {
  phases: readonly string[];
  /** Hosts that may have to follow. */
  hosts: (config: ClusterConfig) => readonly ResolvedHost[];
  /** Stands on those that were brought up already. */
  trace: string;
}

/**
 * What others have of the hosts of a role: balancers send to control planes, API servers to etcd's members, and
 * cluster-info names the first control plane's address where the endpoint has none of its own.
 */
const FOLLOWING: Partial<Record<Role, Following>> = {
  'control-plane': {
    phases: ['endpoint/haproxy', 'endpoint/keepalived', 'bootstrap-token/cluster-info'],
    hosts: (config) => presentHosts(config).filter((host) => balancedOn(config, host) !== null),
    trace: HAPROXY_CONFIG,
  },
  etcd: {
    phases: ['control-plane/apiserver', 'upload-config'],
    hosts: controlPlanes,
    trace: `${MANIFESTS_DIR}/kube-apiserver.yaml`,
  },
};

const followingPhases = (role: Role): KeelsonPhase[] =>
  (FOLLOWING[role]?.phases ?? []).flatMap((name) => phasesNamed(name));

/** A session in which there are only these hosts. */
function contextOf({ context }: Session, hosts: readonly ResolvedHost[]): PhaseContext {
  return { ...context, inventory: hosts.map(({ name, role }): HostEntry => ({ name, role })) };
}

export interface Followers {
  role: Role;
  hosts: readonly ResolvedHost[];
  tasks: readonly TaskPlan[];
}

/**
 * What the hosts that stay have to change because hosts of a role come or go: nothing for a worker. Hosts that can't
 * be reached are named, and follow at the next apply.
 * @param except hosts that come or go
 */
export async function planFollowers(
  session: Session,
  role: Role,
  except: readonly string[],
): Promise<Followers> {
  const following = FOLLOWING[role];
  const { context, emit } = session;
  if (following === undefined) return { role, hosts: [], tasks: [] };
  const wanted = following.hosts(context.config).filter(({ name }) => !except.includes(name));
  for (const [host, failure] of await session.reach(wanted.map(({ name }) => name))) {
    const text = `can't be reached, so it learns of this at the next apply: ${failure.message}`;
    emit({ type: 'note', host, level: 'warning', text });
  }
  const standing = await Promise.all(
    wanted.map(async (host) => {
      const reader = session.readers.get(host.name);
      const seen = await reader?.read({ stats: [following.trace] }, { signal: context.signal });
      return seen !== undefined && exists(seen, following.trace) ? [host] : [];
    }),
  );
  const hosts = standing.flat();
  if (hosts.length === 0) return { role, hosts, tasks: [] };
  const tasks = await planTasks({
    phases: followingPhases(role),
    context: contextOf(session, hosts),
    readers: session.readers,
    emit,
  });
  return { role, hosts, tasks };
}

/** Does what `planFollowers` planned. */
export async function runFollowers(
  session: Session,
  { role, hosts, tasks }: Followers,
  { run, emit, stop }: { run: string; emit: Emit; stop?: AbortSignal | undefined },
): Promise<void> {
  if (tasks.every((task) => task.changes.length === 0)) return;
  const { context, effects, readers } = session;
  await runTasks({
    phases: followingPhases(role),
    tasks,
    context: contextOf(session, hosts),
    readers,
    effects,
    journal: hostJournal({
      run,
      host: effects.host,
      fallback: context.first.name,
      now: context.now,
    }),
    emit,
    concurrency: Math.max(8, context.config.spec.concurrency * 4),
    stop: stop ?? new AbortController().signal,
  });
}
