import { KeelsonError } from '../../errors/keelson-error.js';

/** What can be replaced. */
export const ROTATABLE = ['cluster-ca', 'etcd-ca', 'front-proxy-ca', 'sa', 'encryption-key'] as const;
export type Rotatable = (typeof ROTATABLE)[number];
/** Steps forward; from `drop` on there is no way back. */
export const FORWARD = ['trust', 'restart', 'issue', 'rewrite', 'verify', 'drop'] as const;
/**
 * Steps of the way back: what was issued is issued by the old one again, pods that got something from the new one
 * are replaced once more, what was written with the new one is written anew, then the new one is no longer trusted.
 */
const BACK = ['reissue', 'restart-back', 'rewrite-back', 'distrust'] as const;
export type Step = (typeof FORWARD)[number] | (typeof BACK)[number];

/**
 * The order of steps. Pods have to trust a new CA before anything is issued by it, and get new tokens only once
 * these are signed with a new key. Where pods hold nothing they are left alone. Only what is encrypted is written anew.
 */
export const ORDER: Readonly<Record<Rotatable, readonly (typeof FORWARD)[number][]>> = {
  'cluster-ca': ['trust', 'restart', 'issue', 'verify', 'drop'],
  'etcd-ca': ['trust', 'issue', 'verify', 'drop'],
  'front-proxy-ca': ['trust', 'issue', 'verify', 'drop'],
  sa: ['trust', 'issue', 'restart', 'verify', 'drop'],
  'encryption-key': ['trust', 'issue', 'rewrite', 'verify', 'drop'],
};

/** The state of a rotation as it lies on every control plane. Holds no secret. */
export interface RotationState {
  formatVersion: 1;
  id: string;
  what: Rotatable;
  /** What comes after it. */
  queued: readonly Rotatable[];
  direction: 'forward' | 'back';
  /** Steps that some host may have begun, and those that all have ended. */
  begun: readonly Step[];
  done: readonly Step[];
  /** When steps were done everywhere, milliseconds since the epoch. */
  at: Partial<Record<Step, number>>;
  /** All is done; only what lies on the hosts about it has to go, and what is queued has not begun. */
  finished: boolean;
  restartWorkloads: 'rolling' | 'none';
  /** ISO 8601. */
  since: string;
}

export function newState(
  options: Pick<RotationState, 'id' | 'what' | 'queued' | 'restartWorkloads' | 'since'>,
): RotationState {
  return { formatVersion: 1, ...options, direction: 'forward', begun: [], done: [], at: {}, finished: false };
}

/** A rotation that has ended, where what is wanted is to begin after it; null where there is none or it is wanted itself. */
export function endedBefore(state: RotationState | null, wanted: readonly Rotatable[]): RotationState | null {
  if (state?.finished !== true) return null;
  return state.queued.length > 0 || !wanted.includes(state.what) ? state : null;
}

/** What is left of `wanted` where a run of several ended before the next one began; all of it where nothing is. */
export function leftOf(wanted: readonly Rotatable[], queued: readonly Rotatable[]): readonly Rotatable[] {
  const left = queued.filter((what) => wanted.includes(what));
  return left.length > 0 ? left : wanted;
}

/** Steps that are left, in order. */
export function remaining({ what, direction, begun, done, finished }: RotationState): Step[] {
  if (finished) return [];
  // Pods that trust both CAs are no hindrance; those with tokens of the new key are.
  const again = ORDER[what].indexOf('restart') > ORDER[what].indexOf('issue') && begun.includes('restart');
  // From issue on the new key may have written something.
  const written = ORDER[what].includes('rewrite') && begun.includes('issue');
  const steps: Step[] =
    direction === 'forward'
      ? [...ORDER[what]]
      : [
          ...(begun.includes('issue') ? (['reissue'] as const) : []),
          ...(again ? (['restart-back'] as const) : []),
          ...(written ? (['rewrite-back'] as const) : []),
          ...(begun.includes('trust') ? (['distrust'] as const) : []),
        ];
  return steps.filter((step) => !done.includes(step));
}

export function begin(state: RotationState, step: Step): RotationState {
  return state.begun.includes(step) ? state : { ...state, begun: [...state.begun, step] };
}

export function finish(state: RotationState, step: Step, at: number): RotationState {
  const done = [...state.done.filter((other) => other !== step), step];
  return { ...state, done, at: { ...state.at, [step]: at } };
}

/**
 * The way back, which can be taken until the old one is dropped.
 * @throws CONFLICT afterwards
 */
export function turnBack(state: RotationState): RotationState {
  if (state.direction === 'back') return state;
  if (state.begun.includes('drop') || state.finished) {
    throw new KeelsonError('CONFLICT', `${state.what}: the old one is being dropped, there is no way back`, {
      hint: `go on with keelson certs rotate ${state.what} --yes`,
    });
  }
  return { ...state, direction: 'back' };
}

/**
 * What control planes say together. A run that was killed while it wrote leaves some of them a step behind: what
 * one of them has begun counts as begun, what one of them has not finished is done again. One that has ended counts
 * for nothing where another has begun.
 * @param found of the control planes that have one
 * @throws CONFLICT where they tell of different rotations
 */
export function mergeStates(found: readonly RotationState[]): RotationState | null {
  const latest = [...found].sort((a, b) => (a.since < b.since ? 1 : -1))[0];
  const states = found.filter(({ id, finished }) => id === latest?.id || !finished);
  const [first, ...others] = states;
  if (first === undefined) return null;
  if (others.some(({ id }) => id !== first.id)) {
    throw new KeelsonError('CONFLICT', 'control planes tell of different rotations', {
      hint: 'look at state.json in /var/lib/keelson/rotation on each of them, and remove the directory where it does not belong',
    });
  }
  return {
    ...first,
    direction: states.some(({ direction }) => direction === 'back') ? 'back' : 'forward',
    begun: [...new Set(states.flatMap(({ begun }) => begun))],
    done: first.done.filter((step) => others.every(({ done }) => done.includes(step))),
    at: Object.assign({}, ...states.map(({ at }) => at)),
    finished: states.some(({ finished }) => finished),
  };
}

/** @throws CONFLICT for what is no state, or of a newer keelson */
export function parseState(text: string, host: string): RotationState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  const state = value as RotationState | null;
  if (state?.formatVersion === 1 && ROTATABLE.includes(state.what)) return state;
  throw new KeelsonError('CONFLICT', 'the state of a rotation on this host can’t be read', {
    host,
    hint: 'it may be of a newer keelson: use that one to go on',
  });
}
