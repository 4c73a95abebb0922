import { randomBytes } from 'node:crypto';
import { controlPlanes } from '../../config/inventory.js';
import { hostJournal } from '../../engine/journal.js';
import type { TaskPlan } from '../../engine/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { withLock } from '../lock.js';
import type { Session } from '../session.js';
import { differences } from './differences.js';
import { refuseUnhealthy } from './health.js';
import { runHostStep } from './host-step.js';
import type { RotationKind } from './kind.js';
import { kindNamed } from './kinds.js';
import { hostPki, openRun, type Run } from './run.js';
import {
  begin,
  finish,
  newState,
  ORDER,
  type Rotatable,
  type RotationState,
  remaining,
  type Step,
  turnBack,
} from './state.js';
import { forgetRotation, readPairs, readRotation, writePairs, writeState } from './store.js';
import { surveyOldAlone } from './survey.js';
import { holdersOf, restartWorkloads } from './workloads.js';

export interface RotateOptions {
  owner: string;
  /** Default: as the rotation began, or rolling. */
  restartWorkloads?: 'rolling' | 'none';
  /** Ends after this step; the same command goes on from there. */
  until?: Step;
  /** Soft stop: what is under way on a host finishes, nothing new begins. */
  stop?: AbortSignal;
}

/** What a rotation is made of; tests give their own. */
export interface Parts {
  kindOf: (name: Rotatable) => RotationKind;
  /** Throws where a rotation must not begin. */
  gate: (session: Session) => Promise<void>;
}

const PARTS: Parts = { kindOf: kindNamed, gate: refuseUnhealthy };

export interface RotateResult {
  /** What is through. */
  rotated: Rotatable[];
  /** The rotation that has not ended; null where all is done. */
  state: RotationState | null;
  durationMs: number;
}

/**
 * Replaces authorities and keys, one kind after the other, or goes on with what was broken off. Every step can be
 * repeated: where a run ends, by whatever, the next one goes on.
 * @throws PREFLIGHT where something is unhealthy at the beginning; CONFLICT for another rotation that is under way;
 * DEADLINE, LOCKED, ABORTED
 */
export function rotate(
  session: Session,
  wanted: readonly Rotatable[],
  options: RotateOptions,
  parts: Parts = PARTS,
): Promise<RotateResult> {
  return underLock(session, 'certs rotate', options, async () => {
    let state = await readRotation(session);
    if (state !== null) refuseOther(state, wanted);
    refuseUntil(state === null ? wanted : [state.what], options.until);
    const rotated: Rotatable[] = [];
    const rule = options.restartWorkloads ?? state?.restartWorkloads ?? 'rolling';
    let queue = state === null ? [...wanted] : [state.what, ...state.queued];
    for (;;) {
      const [what, ...queued] = queue;
      if (what === undefined) return { rotated, state: null };
      state ??= await prepare(session, parts, what, queued, rule);
      const left = await proceed(session, parts, { ...state, restartWorkloads: rule }, options);
      if (left !== null) return { rotated, state: left };
      rotated.push(what);
      queue = queued;
      state = null;
    }
  });
}

/**
 * Takes a rotation back, which can be done until the old authority is dropped.
 * @throws CONFLICT where none is under way, or it is too late
 */
export function rollBack(
  session: Session,
  options: Omit<RotateOptions, 'restartWorkloads'>,
  parts: Parts = PARTS,
): Promise<RotateResult> {
  return underLock(session, 'certs rotate rollback', options, async () => {
    const found = await readRotation(session);
    if (found === null) throw new KeelsonError('CONFLICT', 'no rotation is under way');
    const state = { ...turnBack(found), queued: [] };
    await writeState(session, state);
    return { rotated: [], state: await proceed(session, parts, state, options) };
  });
}

async function underLock(
  session: Session,
  run: string,
  { owner }: Pick<RotateOptions, 'owner'>,
  work: () => Promise<Omit<RotateResult, 'durationMs'>>,
): Promise<RotateResult> {
  const { context, emit } = session;
  const started = context.now();
  return withLock(session, { owner, run, duringRotation: true }, async () => {
    emit({ type: 'run-started', run, hosts: context.inventory.map(({ name }) => name), tasks: 0 });
    let ok = false;
    try {
      const result = await work();
      ok = true;
      return { ...result, durationMs: context.now() - started };
    } finally {
      emit({ type: 'run-finished', run, ok, changed: 0, durationMs: context.now() - started });
    }
  });
}

function refuseOther(state: RotationState, wanted: readonly Rotatable[]): void {
  if (state.direction === 'back') {
    throw new KeelsonError('CONFLICT', `the rotation of ${state.what} is being rolled back`, {
      hint: 'end that first: keelson certs rotate rollback --yes',
    });
  }
  if (wanted.includes(state.what)) return;
  throw new KeelsonError('CONFLICT', `the rotation of ${state.what} is under way since ${state.since}`, {
    hint: `end it first: keelson certs rotate ${state.what} --yes, or keelson certs rotate rollback --yes`,
  });
}

/** A step that never comes would not end anything. */
function refuseUntil(what: readonly Rotatable[], until: Step | undefined): void {
  const without = what.find((name) => !ORDER[name].some((step) => step === until));
  if (until === undefined || without === undefined) return;
  throw new KeelsonError('USAGE', `the rotation of ${without} has no step ${until}`, {
    hint: `its steps are ${ORDER[without].join(', ')}`,
  });
}

/** Makes the new one, and keeps it beside the old one on every control plane before anything else changes. */
async function prepare(
  session: Session,
  { kindOf, gate }: Parts,
  what: Rotatable,
  queued: readonly Rotatable[],
  rule: 'rolling' | 'none',
): Promise<RotationState> {
  const { context, emit } = session;
  const kind = kindOf(what);
  const { config } = context;
  const refusal = kind.refusal(config);
  if (refusal !== null) throw new KeelsonError('USAGE', `${kind.title} can’t be rotated here: ${refusal}`);
  await gate(session);
  const old = await Promise.all(
    controlPlanes(config).map(async ({ name }) => kind.present(config, await hostPki(session, name))),
  );
  const [first] = old;
  if (first === null || first === undefined || old.some((pair) => pair === null)) {
    throw new KeelsonError('CONFLICT', `the key of ${kind.title} is not on every control plane`, {
      hint: 'keelson rotates only what it can sign with: one that is kept elsewhere is replaced there',
    });
  }
  const now = context.now();
  const fresh = await kind.create(config, { now: new Date(now) });
  await writePairs(session, { old: first, fresh });
  const state = newState({
    id: randomBytes(6).toString('hex'),
    what: kind.name,
    queued,
    restartWorkloads: rule,
    since: new Date(now).toISOString(),
  });
  await writeState(session, state);
  emit({
    type: 'note',
    host: '',
    level: 'info',
    text: `${kind.title}: a new one is kept on the control planes`,
  });
  return state;
}

/** Does what is left. @returns the state where it ended before the end; null when all is done and forgotten */
async function proceed(
  session: Session,
  { kindOf }: Parts,
  from: RotationState,
  { until, stop = new AbortController().signal }: Pick<RotateOptions, 'until' | 'stop'>,
): Promise<RotationState | null> {
  const kind = kindOf(from.what);
  let state = from;
  if (!state.finished) {
    const pairs = await readPairs(session);
    // A run that was killed while it kept them may have left a control plane without.
    await writePairs(session, pairs);
    for (const step of remaining(state)) {
      stop.throwIfAborted();
      state = begin(state, step);
      await writeState(session, state);
      const run = openRun(session, state, pairs, stop);
      try {
        await runStep(run, kind, step);
      } finally {
        await run.close();
      }
      state = finish(state, step, session.context.now());
      await writeState(session, state);
      if (step === until) return state;
    }
    state = { ...state, finished: true };
    await writeState(session, state);
  }
  const planes = controlPlanes(session.context.config);
  const leftovers = [...kind.leftovers(session.context.config)];
  await Promise.all(planes.map(({ name }) => session.effects.host(name).remove(leftovers)));
  await forgetRotation(
    session,
    session.context.inventory.map(({ name }) => session.effects.host(name)),
  );
  return null;
}

async function runStep(run: Run, kind: RotationKind, step: Step): Promise<void> {
  switch (step) {
    case 'restart':
    case 'restart-back':
      return restartHolders(run, kind, step);
    case 'verify':
      return verify(run, kind);
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
  if (kind.surveyed) found.push(await surveyOldAlone(run.session, run.pairs));
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
  if (since === undefined) return;
  const left = () => since + kind.lingerMs - context.now();
  await waitUntil(async () => ({ met: left() <= 0, state: `${Math.ceil(left() / 30_000) * 30} s left` }), {
    for: 'processes to read their new certificates',
    deadlineMs: kind.lingerMs + 60_000,
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
