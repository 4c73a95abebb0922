import { controlPlanes, memberHosts, presentHosts } from '../../config/inventory.js';
import type { Emit } from '../../engine/events.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { takeSnapshot } from '../etcd-snapshot.js';
import { refuseLocked, withLock } from '../lock.js';
import { findingsTable } from '../preflight.js';
import { observeTrust } from '../require.js';
import type { Session } from '../session.js';
import { directoryPlace } from '../snapshot-place.js';
import { awaitWindow, mayBegin } from './gate.js';
import { awaitCluster } from './health.js';
import { hostTurn, isBack } from './host-turn.js';
import { manifestPath } from './keep.js';
import { withLostHost } from './lost.js';
import { planesLeft, refuseOutOfTurn } from './order.js';
import type { Hop } from './path.js';
import { refusePaused } from './pause.js';
import { ADDON_PHASES, TOOL_PHASES, UPGRADE_PHASES } from './phases.js';
import { planUpgrade } from './plan.js';
import { pruneHost } from './prune.js';
import { readRecord, removeRecord, stepAgain, type UpgradeRecord, writeRecord } from './record.js';
import { runStepTasks, type Step, stepJournal, tasksOf } from './run.js';
import { stage } from './stage.js';
import { type DrainSettings, uncordonLeft, upgradeWorkers, waveSize } from './waves.js';
import type { MaintenanceWindow } from './window.js';

export interface UpgradeOptions {
  /** Who holds the lock, as others are told. */
  owner: string;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
  /** Nothing begins outside of this time of the day. */
  window?: MaintenanceWindow;
  /** Only these hosts; the step stays under way until all are through. */
  hosts?: readonly string[];
  /** Where the snapshot of etcd from before goes; null for none. */
  snapshotDirectory: string | null;
  /** Nodes that may be away at once: a number, or a part as `25%`. */
  maxUnavailable: string;
  /** Whether pods leave a worker first: always, never, or where the kubelet's minor changes. */
  drain: 'always' | 'never' | 'minor';
  drainSettings: DrainSettings;
  /** Bundle of the version before, for a rollback; null where it is not known. */
  previousBundle: string | null;
  /** Names of findings whose errors are warnings. */
  ignore?: readonly string[];
}

export interface UpgradeResult {
  cluster: string;
  from: string;
  to: string;
  /** False while hosts are left that were not chosen. */
  complete: boolean;
  changed: number;
  /** Snapshot of etcd on this machine. */
  snapshot: string | null;
  durationMs: number;
}

/**
 * Takes the cluster one step further, to the session's version. Interrupted anywhere, the same call goes on.
 * @param session of the cluster file with the target's version and bundle
 * @throws PREFLIGHT for findings that stand in the way, before anything is changed; CONFLICT for a step that is
 * under way to elsewhere, or for a target more than one step away; DEADLINE with the first cause, the host in
 * question being back where it was; LOCKED; ABORTED, also while it is paused and where its window closes
 */
export async function applyUpgrade(session: Session, options: UpgradeOptions): Promise<UpgradeResult> {
  await reachPlanes(session);
  await refuseLocked(session);
  await refusePaused(session);
  return withLock(session, { owner: options.owner, run: 'upgrade apply' }, async () => {
    await observeTrust(session);
    const record = await recordOf(session, options);
    return runStep(session, record, options);
  });
}

/** Lock, pause and record are on all control planes that answer, also on those that a run leaves alone. */
export async function reachPlanes(session: Session): Promise<void> {
  await session.reach(controlPlanes(session.context.config).map(({ name }) => name));
}

/** The step to take: the one that is under way, or a new one. */
async function recordOf(
  session: Session,
  { ignore, previousBundle }: UpgradeOptions,
): Promise<UpgradeRecord> {
  const to = session.context.config.cluster.kubernetesVersion;
  const known = await readRecord(session);
  if (known?.state === 'under-way') {
    if (known.direction === 'upgrade' && known.to === to) return known;
    const way = `${known.direction === 'upgrade' ? 'an upgrade' : 'a rollback'} from ${known.from} to ${known.to}`;
    throw new KeelsonError('CONFLICT', `${way} is under way`, {
      hint:
        known.direction === 'upgrade'
          ? `end it with --to ${known.to}, or take it back with keelson upgrade rollback`
          : 'end it with keelson upgrade rollback',
    });
  }
  const { from, path, findings } = await planUpgrade(session, ignore === undefined ? {} : { ignore });
  const again = stepAgain(known, { from, to });
  if (path.length > 1) {
    throw new KeelsonError(
      'CONFLICT',
      `${to} is ${path.length} steps from ${from}: ${path.map((hop) => hop.to).join(', ')}`,
      {
        hint: `begin with keelson upgrade apply --to ${path[0]?.to ?? to}`,
      },
    );
  }
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    const names = [...new Set(errors.map(({ check }) => check))];
    throw new KeelsonError(
      'PREFLIGHT',
      `nothing was changed, because of\n${findingsTable(findings).trimEnd().replaceAll(/^/gm, '  ')}`,
      {
        hint: `do what the table says; to go on in spite of an error: --ignore-preflight-errors ${names.join(',')}`,
        details: { findings },
      },
    );
  }
  if (again !== null) return again;
  const at = new Date(session.context.now()).toISOString();
  return {
    formatVersion: 1,
    from,
    to,
    direction: 'upgrade',
    state: 'under-way',
    at,
    snapshot: null,
    bundle: previousBundle,
  };
}

/** Does a step, from wherever it stands. */
export async function runStep(
  session: Session,
  record: UpgradeRecord,
  options: UpgradeOptions,
): Promise<UpgradeResult> {
  const { context, emit } = session;
  const started = context.now();
  const run = record.direction === 'upgrade' ? 'upgrade' : 'rollback';
  const hop: Hop = { from: record.from, to: record.to };
  const names = presentHosts(context.config)
    .map(({ name }) => name)
    .filter((name) => options.hosts?.includes(name) ?? true);
  let changed = 0;
  const counted: Emit = (event) => {
    if (event.type === 'task-finished') changed += event.changes;
    emit(event);
  };
  const step: Step = {
    session: { ...session, emit: counted, context: { ...session.context, emit: counted } },
    hop,
    direction: record.direction,
    journal: stepJournal(session, run),
    stop: options.stop ?? new AbortController().signal,
    window: options.window ?? null,
  };
  emit({ type: 'run-started', run: `${run} ${hop.from} → ${hop.to}`, hosts: names, tasks: names.length });
  let ok = false;
  try {
    await refuseOutOfTurn(session, { hop, direction: record.direction, names });
    const current = await begun(step, record, names, options);
    if (record.direction === 'upgrade') {
      await controlPlanesTurn(step, names, current);
      // Add-ons are for the newest API servers only.
      if ((await planesLeft(session, { hop, direction: 'upgrade', names })).length === 0) await addons(step);
      await workersTurn(step, names, options);
    } else {
      await cutOffTurn(step, names);
      await addons(step);
      await workersTurn(step, names, options);
      await controlPlanesTurn(step, names, current);
    }
    const complete = await ended(step, names, current);
    ok = true;
    return {
      cluster: context.config.name,
      ...hop,
      complete,
      changed,
      snapshot: current.snapshot,
      durationMs: context.now() - started,
    };
  } catch (error) {
    throw withLostHost(step, error);
  } finally {
    emit({ type: 'run-finished', run, ok, changed, durationMs: context.now() - started });
  }
}

/** Files and images on all hosts, a snapshot off them, and the record that the step has begun. */
async function begun(
  step: Step,
  record: UpgradeRecord,
  names: readonly string[],
  { snapshotDirectory }: UpgradeOptions,
): Promise<UpgradeRecord> {
  const { session } = step;
  const { context, emit } = session;
  const due = record.snapshot === null && snapshotDirectory !== null && record.direction === 'upgrade';
  const snapshot = async () => {
    if (!due || memberHosts(context.config).length === 0) return record.snapshot;
    const taken = await takeSnapshot(session, { place: directoryPlace(snapshotDirectory) });
    emit({ type: 'note', host: taken.member, level: 'info', text: `snapshot of etcd: ${taken.file}` });
    return taken.file;
  };
  const [file] = await Promise.all([snapshot(), stage(step, names)]);
  const current: UpgradeRecord = { ...record, snapshot: file };
  await awaitWindow(step);
  await writeRecord(session, current);
  return current;
}

/** Hosts of role etcd, then control planes, one after the other. */
async function controlPlanesTurn(step: Step, names: readonly string[], record: UpgradeRecord): Promise<void> {
  const { session } = step;
  const roles =
    step.direction === 'upgrade'
      ? (['etcd', 'control-plane'] as const)
      : (['control-plane', 'etcd'] as const);
  const order = roles.flatMap((role) =>
    presentHosts(session.context.config).filter((host) => host.role === role && names.includes(host.name)),
  );
  let done = 0;
  for (const { name } of order) {
    await mayBegin(step);
    try {
      done += await hostTurn(step, name);
    } catch (error) {
      // Where nothing is changed, nothing is under way.
      const untouched = done === 0 && isBack(error);
      if (untouched && record.again) await writeRecord(session, doneOf(record));
      else if (untouched && record.direction === 'upgrade') await removeRecord(session);
      throw error;
    }
  }
}

/**
 * Control planes that a run was cut off on while their static pods were being replaced, and on which nothing starts
 * them again: without them there may be no API, through which all else goes back.
 */
async function cutOffTurn(step: Step, names: readonly string[]): Promise<void> {
  const { context, effects } = step.session;
  const file = manifestPath('kube-apiserver');
  for (const { name } of controlPlanes(context.config).filter((host) => names.includes(host.name))) {
    const seen = await effects.host(name).read({ files: [file], units: [KUBELET_UNIT] });
    const whole =
      seen.files.get(file)?.type === 'file' && seen.units.get(KUBELET_UNIT)?.active !== 'inactive';
    if (whole) continue;
    await mayBegin(step);
    await hostTurn(step, name);
  }
}

async function addons(step: Step): Promise<void> {
  await mayBegin(step);
  const { session } = step;
  const tasks = await tasksOf(session, ADDON_PHASES, []);
  await runStepTasks(step, ADDON_PHASES, tasks);
  await awaitCluster(step.session.context);
}

async function workersTurn(step: Step, names: readonly string[], options: UpgradeOptions): Promise<void> {
  const { session, hop } = step;
  const workers = presentHosts(session.context.config)
    .filter(({ role, name }) => role === 'worker' && names.includes(name))
    .map(({ name }) => name);
  const due = new Set((await tasksOf(session, UPGRADE_PHASES, workers)).map((task) => task.host));
  const minor = (version: string) => version.split('.').slice(0, 2).join('.');
  const drains =
    options.drain === 'always' || (options.drain === 'minor' && minor(hop.from) !== minor(hop.to));
  await upgradeWorkers(
    step,
    workers.filter((name) => due.has(name)),
    {
      size: waveSize(options.maxUnavailable, workers.length),
      drain: drains ? options.drainSettings : null,
    },
  );
  await uncordonLeft(step, workers);
}

/** kubectl and kubeadm, and the record; false while hosts are left. */
async function ended(step: Step, names: readonly string[], record: UpgradeRecord): Promise<boolean> {
  const { session } = step;
  await runStepTasks(step, TOOL_PHASES, await tasksOf(session, TOOL_PHASES, names));
  await awaitCluster(step.session.context);
  const seen = session.context.inventory.map(({ name }) => name);
  if (presentHosts(session.context.config).some(({ name }) => !seen.includes(name))) return false;
  const left = await tasksOf(session, UPGRADE_PHASES);
  if (left.length > 0) return false;
  // Hosts that followed to the version of all others are no way that could be taken back.
  if (record.from === record.to) await removeRecord(session);
  else await writeRecord(session, doneOf(record));
  await Promise.all(names.map((name) => pruneHost(step, name)));
  return true;
}

function doneOf({ again: _, ...record }: UpgradeRecord): UpgradeRecord {
  return { ...record, state: 'done' };
}
