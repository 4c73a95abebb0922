import { controlPlanes, etcdHosts, hostNamed } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import { STATE_DIR } from '../engine/journal.js';
import { runTasks } from '../engine/runner.js';
import type { Plan } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { KeelsonPhase } from '../phases/context.js';
import { resetPhases } from '../phases/reset/phases.js';
import { withLock } from './lock.js';
import { changesIn, makePlan } from './plan.js';
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

/** Nothing is written to the journals: they are among what goes. */
const NO_JOURNAL = { begin: async () => undefined, finish: async () => undefined };

/**
 * The hosts that a reset is about, in the order of the file.
 * @throws USAGE for an unknown name; CONFLICT where one control plane of several would go and others stay
 */
export function hostsToReset(config: ClusterConfig, { hosts }: ResetSelection): string[] {
  const named = new Set(hosts.map((name) => hostNamed(config, name).name));
  const all = config.hosts.filter((host) => host.state === 'present').map((host) => host.name);
  const chosen = named.size === 0 ? all : all.filter((name) => named.has(name));
  refuseMemberLoss(config, chosen);
  const planes = controlPlanes(config).map((host) => host.name);
  const going = planes.filter((name) => chosen.includes(name));
  const staying = planes.filter((name) => !chosen.includes(name));
  if (going.length > 0 && staying.length > 0) {
    throw new KeelsonError(
      'CONFLICT',
      `${going.join(', ')} can't be reset while ${staying.join(', ')} ${staying.length === 1 ? 'stays a control plane' : 'stay control planes'}: etcd would lose a member that it still counts`,
      { hint: 'reset all control planes at once, or only workers' },
    );
  }
  return chosen;
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
    { hint: 'reset control planes and hosts of role etcd together, or only workers' },
  );
}

/** What a reset would remove, host by host. Reads only. */
export async function planReset(session: Session, selection: ResetSelection): Promise<Plan> {
  return (await planned(session, selection)).plan;
}

async function planned(
  session: Session,
  selection: ResetSelection,
): Promise<{ plan: Plan; phases: KeelsonPhase[]; hosts: string[] }> {
  const { config } = session.context;
  const hosts = hostsToReset(config, selection);
  const livesOn = controlPlanes(config).some((host) => !hosts.includes(host.name));
  const phases = resetPhases(livesOn ? hosts : []);
  return { plan: await makePlan(session, { phases, hosts }), phases, hosts };
}

/**
 * Takes hosts back to what they were before keelson: whatever kubelet, runtime, network and keelson made is
 * removed, also from a host that is half installed or whose cluster does not answer. Safe to repeat. Files that
 * keelson overwrote don't come back.
 * @throws CONFLICT, LOCKED, ABORTED, and what a host said
 */
export async function resetCluster(session: Session, options: ResetOptions): Promise<ResetResult> {
  const { context, emit } = session;
  const started = context.now();
  hostsToReset(context.config, options);
  try {
    return await withLock(session, { owner: options.owner, run: 'reset' }, async () => {
      const { plan, phases, hosts } = await planned(session, options);
      const pending = plan.tasks.filter((task) => task.changes.length > 0);
      emit({ type: 'run-started', run: 'reset', hosts, tasks: pending.length });
      let ok = false;
      try {
        const changed = await runTasks({
          phases,
          tasks: plan.tasks,
          context,
          readers: session.readers,
          effects: session.effects,
          journal: NO_JOURNAL,
          emit,
          concurrency: Math.max(8, context.config.spec.concurrency * 4),
          stop: options.stop ?? new AbortController().signal,
        });
        ok = true;
        return { plan, hosts, changed, durationMs: context.now() - started };
      } finally {
        const durationMs = context.now() - started;
        emit({ type: 'run-finished', run: 'reset', ok, changed: changesIn(plan), durationMs });
      }
    });
  } catch (thrown) {
    if (!(thrown instanceof KeelsonError) || thrown.code !== 'ABORTED') throw thrown;
    const hint = 'run keelson reset again: it goes on from here';
    throw new KeelsonError('ABORTED', thrown.message, { hint, cause: thrown });
  } finally {
    const first = session.effects.host(context.first.name);
    await first.script({ name: 'reset/state-directory', text: REMOVE_EMPTY_STATE }).catch(() => undefined);
  }
}
