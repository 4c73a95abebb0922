import { controlPlanes } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { refuseLocked, withLock } from '../lock.js';
import { findingsTable } from '../preflight.js';
import { observeTrust } from '../require.js';
import type { Session } from '../session.js';
import type { UpgradeOptions, UpgradeResult } from './options.js';
import { refusePaused } from './pause.js';
import { planUpgrade } from './plan.js';
import { readRecord, stepAgain, type UpgradeRecord } from './record.js';
import { runStep } from './step.js';

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
