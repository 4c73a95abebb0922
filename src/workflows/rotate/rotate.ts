import { randomBytes } from 'node:crypto';
import { controlPlanes } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { ADMIN_FILES } from '../../phases/trust-store.js';
import type { CertAndKey } from '../../pki/issue.js';
import { trustBundle } from '../../pki/rotation.js';
import type { FreshTrust } from '../certs/local-kubeconfigs.js';
import { withLock } from '../lock.js';
import { observeTrust } from '../require.js';
import type { Session } from '../session.js';
import { refuseUnhealthy } from './health.js';
import type { RotationKind } from './kind.js';
import { kindNamed } from './kinds.js';
import { hostPki, openRun, trustAfter } from './run.js';
import {
  begin,
  endedBefore,
  finish,
  leftOf,
  newState,
  ORDER,
  type Rotatable,
  type RotationState,
  remaining,
  type Step,
  turnBack,
} from './state.js';
import { runStep } from './steps.js';
import { forgetRotation, type Pairs, readPairs, readRotation, writePairs, writeState } from './store.js';

export interface RotateOptions {
  owner: string;
  /** Default: as the rotation began, or rolling. */
  restartWorkloads?: 'rolling' | 'none';
  /** The new authority, in place of one that is made here; for one kind that is an authority. */
  given?: CertAndKey;
  /** Ends after this step; the same command goes on from there. */
  until?: Step;
  /** Soft stop: what is under way on a host finishes, nothing new begins. */
  stop?: AbortSignal;
  /** Is told of whom to trust, and who one is, as often as the cluster's CA changes. @returns files that it changed */
  tell?: (fresh: FreshTrust) => Promise<readonly string[]>;
}

/** What one rotation restarted may take so long until the API calls it ready. */
const SETTLE_MS = 120_000;
/** What comes by itself, as after a rotation that was taken back just now, refuses nobody. */
const BEGIN_MS = 30_000;

/** What a rotation is made of; tests give their own. */
export interface Parts {
  kindOf: (name: Rotatable) => RotationKind;
  /** Throws where a rotation must not begin. */
  gate: (session: Session, patienceMs: number) => Promise<void>;
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
    const found = await readRotation(session);
    const ended = endedBefore(found, wanted);
    if (ended !== null) await endRotation(session, parts, ended);
    const todo = ended === null ? wanted : leftOf(wanted, ended.queued);
    let state = ended === null ? found : null;
    if (state !== null) refuseOther(state, wanted);
    if (state !== null && options.given !== undefined) {
      throw new KeelsonError('USAGE', `the rotation of ${state.what} has its new authority already`, {
        hint: 'go on without it, or take the rotation back first: keelson certs rotate rollback --yes',
      });
    }
    refuseUntil(state === null ? todo : [state.what], options.until);
    const rotated: Rotatable[] = [];
    const rule = options.restartWorkloads ?? found?.restartWorkloads ?? 'rolling';
    let queue = state === null ? [...todo] : [state.what, ...state.queued];
    for (;;) {
      const [what, ...queued] = queue;
      if (what === undefined) return { rotated, state: null };
      state ??= await prepare(session, parts, what, {
        queued,
        rule,
        patienceMs: rotated.length > 0 ? SETTLE_MS : BEGIN_MS,
        given: options.given,
      });
      const left = await proceed(session, parts, { ...state, restartWorkloads: rule }, options);
      if (left !== null) return { rotated, state: left };
      rotated.push(what);
      // Whoever looks at the cluster next does so as the one that it knows now.
      session.context.trust.forget();
      await observeTrust(session);
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

interface Prepared {
  queued: readonly Rotatable[];
  rule: 'rolling' | 'none';
  /** What is unhealthy may become healthy within. */
  patienceMs: number;
  given: CertAndKey | undefined;
}

/** Makes the new one, and keeps it beside the old one on every control plane before anything else changes. */
async function prepare(
  session: Session,
  { kindOf, gate }: Parts,
  what: Rotatable,
  { queued, rule, patienceMs, given }: Prepared,
): Promise<RotationState> {
  const { context, emit } = session;
  const kind = kindOf(what);
  const { config } = context;
  const refusal = kind.refusal(config);
  if (refusal !== null) throw new KeelsonError('USAGE', `${kind.title} can’t be rotated here: ${refusal}`);
  await gate(session, patienceMs);
  const old = await Promise.all(
    controlPlanes(config).map(async ({ name }) => kind.present(config, await hostPki(session, name))),
  );
  const [first] = old;
  if (first === null || first === undefined || old.some((pair) => pair === null)) {
    throw new KeelsonError('CONFLICT', `the key of ${kind.title} is not on every control plane`, {
      hint: 'bring keys that keelson certs take-keys took away back for the time of the rotation (keelson certs return-keys); an authority that is kept elsewhere is replaced there',
    });
  }
  const now = context.now();
  const fresh = given ?? (await kind.create(config, { now: new Date(now) }));
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
  { until, stop = new AbortController().signal, tell }: Pick<RotateOptions, 'until' | 'stop' | 'tell'>,
): Promise<RotationState | null> {
  const kind = kindOf(from.what);
  let state = from;
  if (!state.finished) {
    const pairs = await readPairs(session);
    // A run that was killed while it kept them may have left a control plane without.
    await writePairs(session, pairs);
    // One that was killed between a step and its news.
    await tellOutside(session, state, pairs, tell);
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
      await tellOutside(session, state, pairs, tell);
      if (step === until) return state;
    }
    state = { ...state, finished: true };
    await writeState(session, state);
  }
  await endRotation(session, { kindOf }, state);
  return null;
}

/** Takes what a rotation that is done has left on the hosts; that it is done is known until what is queued begins. */
async function endRotation(
  session: Session,
  { kindOf }: Pick<Parts, 'kindOf'>,
  { what, queued }: RotationState,
): Promise<void> {
  const { config, inventory } = session.context;
  const leftovers = [...kindOf(what).leftovers(config)];
  await Promise.all(controlPlanes(config).map(({ name }) => session.effects.host(name).remove(leftovers)));
  await forgetRotation(
    session,
    inventory.map(({ name }) => session.effects.host(name)),
    { keepState: queued.length > 0 },
  );
}

/** Whoever is outside of the cluster learns whom to trust before it is shown, and its new identity before the old goes. */
async function tellOutside(
  session: Session,
  { what, done }: RotationState,
  pairs: Pairs,
  tell: RotateOptions['tell'],
): Promise<void> {
  const last = done.at(-1);
  if (what !== 'cluster-ca' || last === undefined || tell === undefined) return;
  const { files } = await session.effects.host(session.context.first.name).read({ files: ADMIN_FILES });
  const identities = [...files.values()].flatMap(({ content }) =>
    content === undefined ? [] : [content.toString()],
  );
  const authorities = [pairs.old.certPem, pairs.fresh.certPem];
  const changed = await tell({ identities, authorities, bundle: trustBundle(trustAfter(pairs, last)) });
  for (const file of changed)
    session.emit({ type: 'note', host: '', level: 'info', text: `${file} follows` });
}
