import { presentHosts } from '../../config/inventory.js';
import { didYouMean, nearest } from '../../config/suggest.js';
import type { ClusterConfig } from '../../config/types.js';
import { hostJournal } from '../../engine/journal.js';
import { runTasks } from '../../engine/runner.js';
import type { Plan } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { type Identity, type RenewalRun, renewal } from '../../phases/certs/renew.js';
import { apiReadiness } from '../../phases/wait/control-plane.js';
import type { CertificateInfo } from '../../pki/inspect.js';
import { renewableOn } from '../../pki/renew.js';
import { withLock } from '../lock.js';
import { makePlan } from '../plan.js';
import { refuseBlocked } from '../refuse-blocked.js';
import { observeTrust } from '../require.js';
import type { Session } from '../session.js';
import { refuseUnfit } from './requests.js';

/** keelson's own among kubeadm's names: what kubelets renew themselves, as long as they can. */
const KUBELETS = 'kubelet-client';
const ALL = 'all';
/** A kubelet that has not renewed by then has failed to. */
const OVERDUE = 0.95;

export interface RenewSelection {
  /** kubeadm's names, `kubelet-client`, or `all`; [] is `all`. */
  names: readonly string[];
  /** Certificates that somebody else signed, PEM, by `host:name`: those are put in place, and nothing is signed. */
  given?: ReadonlyMap<string, string>;
}

export interface RenewOptions extends RenewSelection {
  /** Who holds the lock, as others are told. */
  owner: string;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
}

export interface RenewResult {
  plan: Plan;
  changed: number;
  durationMs: number;
  /** Kubeconfigs that were renewed: secrets. */
  identities: readonly Identity[];
}

/** Every name that `certs renew` knows for a cluster. */
function renewableNames(config: ClusterConfig): string[] {
  const roles = new Set(presentHosts(config).map((host) => host.role));
  const names = [...roles].flatMap((role) => renewableOn(config.cluster, role).map(({ name }) => name));
  return [...new Set(names), KUBELETS];
}

/**
 * The names of a selection.
 * @throws USAGE for one that this cluster has not
 */
export function namesToRenew(config: ClusterConfig, { names }: RenewSelection): ReadonlySet<string> {
  const known = renewableNames(config);
  if (names.length === 0 || names.includes(ALL)) return new Set(known.filter((name) => name !== KUBELETS));
  for (const name of names) {
    if (known.includes(name)) continue;
    throw new KeelsonError('USAGE', `there is no certificate ${name}${didYouMean(nearest(name, known))}`, {
      hint: `there are ${known.join(', ')}, and all`,
    });
  }
  return new Set(names);
}

/** What a renewal would do, host by host. Reads only. */
export async function planRenewal(session: Session, selection: RenewSelection): Promise<Plan> {
  return (await planned(session, selection)).plan;
}

/**
 * Renews certificates, with new keys: one control plane after the other, each healthy before the next. Where no API
 * answers, as when everything has expired, all at once. Kubelets' client certificates are renewed only where they
 * have expired, or are named. Safe to repeat.
 * @throws PREFLIGHT where nothing can be signed, DEADLINE with evidence where a control plane does not come back,
 * LOCKED, ABORTED
 */
export async function renewCertificates(session: Session, options: RenewOptions): Promise<RenewResult> {
  const { context, emit } = session;
  const started = context.now();
  const run = 'certs renew';
  return withLock(session, { owner: options.owner, run }, async () => {
    const { plan, run: work } = await planned(session, options);
    refuseBlocked(plan);
    const pending = plan.tasks.filter((task) => task.changes.length > 0);
    emit({
      type: 'run-started',
      run,
      hosts: [...new Set(pending.map(({ host }) => host))],
      tasks: pending.length,
    });
    let changed = 0;
    let ok = false;
    try {
      changed = await runTasks({
        phases: work.phases,
        tasks: plan.tasks,
        context,
        readers: session.readers,
        effects: {
          ...session.effects,
          secret: async (artefact) =>
            (await work.secret(context, artefact)) ?? (await session.effects.secret(artefact)),
        },
        journal: hostJournal({
          run,
          host: session.effects.host,
          fallback: context.first.name,
          now: context.now,
        }),
        emit,
        concurrency: Math.max(8, context.config.spec.concurrency * 4),
        stop: options.stop ?? new AbortController().signal,
      });
      ok = true;
    } finally {
      emit({ type: 'run-finished', run, ok, changed, durationMs: context.now() - started });
    }
    return { plan, changed, durationMs: context.now() - started, identities: work.identities() };
  });
}

async function planned(
  session: Session,
  selection: RenewSelection,
): Promise<{ plan: Plan; run: RenewalRun }> {
  const { context } = session;
  const names = namesToRenew(context.config, selection);
  await observeTrust(session);
  if (context.trust.caCertificate() === null) {
    throw new KeelsonError('CONFLICT', 'there is no cluster yet: no certificate authority was found', {
      host: context.first.name,
      hint: 'run keelson apply first',
    });
  }
  const repair = (await apiReadiness(context)) !== 'ok';
  const now = context.now();
  const all = selection.names.length === 0 || selection.names.includes(ALL);
  const kubelets = (found: CertificateInfo): string | null => {
    if (names.has(KUBELETS)) return `expires on ${found.notAfter.toISOString()}`;
    return all && given === undefined ? overdue(found, now) : null;
  };
  const { given } = selection;
  if (given !== undefined) await refuseUnfit(session, given);
  const run = renewal({ names, kubelets, repair, ...(given === undefined ? {} : { given }) });
  const plan = await makePlan(session, { phases: run.phases });
  // Waiting alone is nothing to do.
  const idle = plan.tasks.every(
    ({ phase, standing }) => phase === 'certs/settle' || standing === 'satisfied',
  );
  return { plan: idle ? { ...plan, tasks: [] } : plan, run };
}

function overdue({ notBefore, notAfter }: CertificateInfo, now: number): string | null {
  if (notAfter.getTime() < now) return `expired on ${notAfter.toISOString()}`;
  const age = (now - notBefore.getTime()) / (notAfter.getTime() - notBefore.getTime());
  return age < OVERDUE ? null : `expires on ${notAfter.toISOString()}, and its kubelet has not renewed it`;
}
