import { controlPlanes, presentHosts } from '../../config/inventory.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { mayBegin } from './gate.js';
import { hostTurn, isBack } from './host-turn.js';
import { manifestPath } from './keep.js';
import type { UpgradeOptions } from './options.js';
import { UPGRADE_PHASES } from './phases.js';
import { doneOf, removeRecord, type UpgradeRecord, writeRecord } from './record.js';
import { type Step, tasksOf } from './run.js';
import { uncordonLeft, upgradeWorkers, waveSize } from './waves.js';

/** Hosts of role etcd, then control planes, one after the other. */
export async function controlPlanesTurn(
  step: Step,
  names: readonly string[],
  record: UpgradeRecord,
): Promise<void> {
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
export async function cutOffTurn(step: Step, names: readonly string[]): Promise<void> {
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

/** Workers in waves, drained where that is asked for. */
export async function workersTurn(
  step: Step,
  names: readonly string[],
  options: UpgradeOptions,
): Promise<void> {
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
