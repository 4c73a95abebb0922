import { hostJournal } from '../../engine/journal.js';
import type { TaskPlan } from '../../engine/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { differences } from './differences.js';
import { runHostStep } from './host-step.js';
import type { RotationKind } from './kind.js';
import type { Run } from './run.js';
import type { Step } from './state.js';
import { surveyOldAlone } from './survey.js';
import { holdersOf, restartWorkloads } from './workloads.js';

/** One step of a rotation, on all hosts and in the API. Safe to repeat. */
export async function runStep(run: Run, kind: RotationKind, step: Step): Promise<void> {
  switch (step) {
    case 'restart':
    case 'restart-back':
      return inCluster(run, kind, step, () => restartHolders(run, kind, step));
    case 'rewrite':
    case 'rewrite-back':
      return inCluster(run, kind, step, async () => kind.rewrite?.(run, step));
    case 'verify':
      return inCluster(run, kind, step, () => verify(run, kind));
    case 'drop':
    case 'distrust':
      await linger(run, kind, step === 'drop' ? 'issue' : 'reissue');
      await onHosts(run, kind, step);
      return kind.objects(run, step);
    default:
      await onHosts(run, kind, step);
      return kind.objects(run, step);
  }
}

/** A step that is no host's. */
async function inCluster(
  { session: { context, emit } }: Run,
  kind: RotationKind,
  step: Step,
  work: () => Promise<void>,
): Promise<void> {
  const phase = `rotate/${kind.name}/${step}`;
  const started = context.now();
  emit({ type: 'task-started', phase, host: '', changes: 0 });
  try {
    await work();
  } catch (thrown) {
    const error = toKeelsonError(thrown).within({ phase });
    emit({ type: 'task-failed', phase, host: '', error });
    throw error;
  }
  emit({ type: 'task-finished', phase, host: '', durationMs: context.now() - started, changes: 0 });
}

/** Control planes one after the other, so that never two of them are restarted at once; then all other hosts. */
async function onHosts(run: Run, kind: RotationKind, step: Step): Promise<void> {
  const hosts = kind.hosts(run);
  const planes = hosts.filter((name) => run.planes.some((plane) => plane.name === name));
  const others = hosts.filter((name) => !planes.includes(name));
  for (const host of planes) await onHost(run, kind, host, step);
  const atOnce = Math.max(1, run.session.context.config.spec.concurrency);
  for (let at = 0; at < others.length; at += atOnce)
    await Promise.all(others.slice(at, at + atOnce).map((host) => onHost(run, kind, host, step)));
}

async function onHost(run: Run, kind: RotationKind, host: string, step: Step): Promise<void> {
  run.stop.throwIfAborted();
  const { context, effects, emit } = run.session;
  const phase = `rotate/${kind.name}/${step}`;
  const task: TaskPlan = { phase, host, standing: 'drifted', reasons: [], changes: [] };
  const journal = hostJournal({
    run: 'certs rotate',
    host: effects.host,
    fallback: context.first.name,
    now: context.now,
  });
  const started = context.now();
  emit({ type: 'task-started', phase, host, changes: 1 });
  try {
    await journal.begin([task]);
    const changed = await runHostStep(run, kind, host, step);
    await journal.finish([task]);
    const durationMs = context.now() - started;
    emit({ type: 'task-finished', phase, host, durationMs, changes: changed ? 1 : 0 });
  } catch (thrown) {
    const error = toKeelsonError(thrown).within({ host, phase });
    emit({ type: 'task-failed', phase, host, error });
    throw error;
  }
}

async function restartHolders(run: Run, kind: RotationKind, step: Step): Promise<void> {
  if (kind.beforeRestart === undefined) return;
  await kind.beforeRestart(run, step);
  const { emit } = run.session;
  const { workloads, told } = await holdersOf(await run.api());
  const rolling = run.state.restartWorkloads === 'rolling';
  const left = rolling
    ? told
    : [...told, ...workloads.map((ref) => `${ref.kind} ${ref.namespace}/${ref.name}`)];
  if (left.length > 0) {
    const text = `still with the old one until someone restarts them: ${left.join(', ')}`;
    emit({ type: 'note', host: '', level: 'warning', text });
  }
  if (rolling) await restartWorkloads(run, workloads, `${run.state.id}/${step}`);
}

/** Nothing on any host may be left to issue. */
async function verify(run: Run, kind: RotationKind): Promise<void> {
  const found = await Promise.all(
    kind.hosts(run).map(async (host) => differences(run, host, await kind.work(run, host, 'verify'))),
  );
  for (const host of kind.hosts(run)) await kind.settled(run, host, 'verify');
  if (kind.surveyed) {
    for (const text of await surveyOldAlone(run.session, run.pairs))
      run.session.emit({ type: 'note', host: '', level: 'warning', text });
  }
  const [first] = found.flat();
  if (first === undefined) return;
  throw new KeelsonError('VERIFY', `${first}: the old one is not dropped`, {
    hint: `run the same command again, or take it back: keelson certs rotate rollback --yes`,
    details: found.flat(),
  });
}

/** What processes read only now and then has to be read before the old one goes. */
async function linger(run: Run, kind: RotationKind, after: Step): Promise<void> {
  const { context, emit } = run.session;
  const since = run.state.at[after];
  const lingerMs = (await kind.lingerMs?.(run)) ?? 0;
  if (since === undefined || lingerMs === 0) return;
  const left = () => since + lingerMs - context.now();
  await waitUntil(async () => ({ met: left() <= 0, state: `${Math.ceil(left() / 30_000) * 30} s left` }), {
    for: 'processes to read their new certificates',
    deadlineMs: lingerMs + 60_000,
    intervalMs: 1000,
    signal: context.signal,
    onState: (last) =>
      emit({
        type: 'waiting',
        phase: `rotate/${kind.name}`,
        host: '',
        for: 'processes to read their new certificates',
        last,
      }),
  });
}
