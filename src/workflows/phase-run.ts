import type { Plan } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { KeelsonPhase } from '../phases/context.js';
import { type ApplyOptions, type ApplyResult, applyCluster } from './apply.js';
import { presumesApi } from './phase-selection.js';
import { makePlan, phasesOf } from './plan.js';
import { lackingAuthorities, observeTrust, requireApi } from './require.js';
import type { Session } from './session.js';

export interface PhaseRunOptions extends Omit<ApplyOptions, 'phases'> {
  phases: readonly KeelsonPhase[];
}

/**
 * What one phase, or a few, would change. What they need and none of them provides has to stand already.
 * @throws USAGE where this cluster has none of them; CONFLICT naming what lacks
 */
export async function planPhases(
  session: Session,
  options: Pick<PhaseRunOptions, 'phases' | 'hosts'>,
): Promise<Plan> {
  await requireNeeds(session, options.phases);
  return makePlan(session, options);
}

/** Runs one phase, or a few, alone, without preflight unless asked for; see `planPhases`. */
export async function runPhases(session: Session, options: PhaseRunOptions): Promise<ApplyResult> {
  await requireNeeds(session, options.phases);
  return applyCluster(session, { preflight: false, ...options });
}

async function requireNeeds(session: Session, phases: readonly KeelsonPhase[]): Promise<void> {
  const { context } = session;
  if (phasesOf(context, phases).length === 0) {
    throw new KeelsonError(
      'USAGE',
      `${phases.map((phase) => phase.name).join(', ')}: not a part of this cluster`,
      { hint: 'the cluster file leaves it out, for example by an external etcd or a disabled add-on' },
    );
  }
  if (presumesApi(phases)) return requireApi(session);
  await observeTrust(session);
  const lacking = lackingAuthorities(context, phases);
  if (lacking.length > 0) {
    throw new KeelsonError(
      'CONFLICT',
      `there is nothing to sign with: ${lacking.join(', ')} did not run yet`,
      {
        host: context.first.name,
        hint: `run keelson phase run ${lacking[0] ?? ''} first`,
      },
    );
  }
}
