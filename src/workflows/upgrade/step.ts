import { memberHosts, presentHosts } from '../../config/inventory.js';
import type { Emit } from '../../engine/events.js';
import { takeSnapshot } from '../etcd-snapshot.js';
import type { Session } from '../session.js';
import { directoryPlace } from '../snapshot-place.js';
import { awaitWindow, mayBegin } from './gate.js';
import { awaitCluster } from './health.js';
import { withLostHost } from './lost.js';
import type { UpgradeOptions, UpgradeResult } from './options.js';
import { planesLeft, refuseOutOfTurn } from './order.js';
import type { Hop } from './path.js';
import { ADDON_PHASES, TOOL_PHASES, UPGRADE_PHASES } from './phases.js';
import { pruneHost } from './prune.js';
import { doneOf, removeRecord, type UpgradeRecord, writeRecord } from './record.js';
import { runStepTasks, type Step, stepJournal, tasksOf } from './run.js';
import { stage } from './stage.js';
import { controlPlanesTurn, cutOffTurn, workersTurn } from './turns.js';

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

async function addons(step: Step): Promise<void> {
  await mayBegin(step);
  const { session } = step;
  const tasks = await tasksOf(session, ADDON_PHASES, []);
  await runStepTasks(step, ADDON_PHASES, tasks);
  await awaitCluster(step.session.context);
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
