import { clusterApi } from '../cluster-api.js';
import type { Session } from '../session.js';
import { obstacles } from './health.js';
import { kindNamed } from './kinds.js';
import {
  endedBefore,
  leftOf,
  ORDER,
  type Rotatable,
  type RotationState,
  remaining,
  type Step,
} from './state.js';
import { readRotation } from './store.js';
import { holdersOf } from './workloads.js';

export interface RotationPlan {
  cluster: string;
  /** What keeps it from beginning, one sentence each. */
  obstacles: string[];
  /** A rotation that is under way, which this would go on with. */
  underWay: RotationState | null;
  rotations: { what: Rotatable; steps: { step: Step; does: string }[]; consequences: readonly string[] }[];
  /** Workloads whose pods would be replaced, as `Kind namespace/name`. */
  restarts: string[];
  /** Pods that nothing replaces, as `namespace/name`. */
  told: string[];
}

/** What a rotation would do. Reads only. */
export async function planRotation(
  session: Session,
  wanted: readonly Rotatable[],
  rule: 'rolling' | 'none' | undefined,
): Promise<RotationPlan> {
  const api = await clusterApi(session);
  const found = await readRotation(session);
  const ended = endedBefore(found, wanted);
  const underWay = ended === null ? found : null;
  const todo = ended === null ? wanted : leftOf(wanted, ended.queued);
  const what = underWay === null ? todo : [underWay.what, ...underWay.queued];
  const pods = what.some((name) => kindNamed(name).beforeRestart !== undefined);
  const holders = pods ? await holdersOf(api) : { workloads: [], told: [] };
  const workloads = holders.workloads.map((ref) => `${ref.kind} ${ref.namespace}/${ref.name}`).sort();
  const rolling = (rule ?? underWay?.restartWorkloads ?? 'rolling') === 'rolling';
  return {
    cluster: session.context.config.name,
    obstacles: underWay === null ? await obstacles(session) : [],
    underWay,
    rotations: what.map((name) => {
      const kind = kindNamed(name);
      const steps = underWay?.what === name ? remaining(underWay) : [...ORDER[name]];
      return {
        what: name,
        steps: steps
          .filter((step) => kind.does[step] !== undefined)
          .map((step) => ({ step, does: kind.does[step] ?? '' })),
        consequences: kind.consequences,
      };
    }),
    restarts: rolling ? workloads : [],
    told: [...holders.told.map((pod) => `Pod ${pod}`), ...(rolling ? [] : workloads)].sort(),
  };
}
