import { KeelsonError } from '../errors/keelson-error.js';
import type { KeelsonPhase, PhaseContext } from '../phases/context.js';
import { apiReadiness } from '../phases/wait/control-plane.js';
import { authoritiesOf, leavesOf } from '../pki/table.js';
import type { Session } from './session.js';

/** Takes over the cluster's CA and admin identity from its first control plane, as planning does by itself. */
export async function observeTrust({ context, effects }: Session): Promise<void> {
  const { first, trust, signal } = context;
  trust.observed(first.name, await effects.host(first.name).read(trust.request(first.name), { signal }));
}

/**
 * Makes sure that the cluster's API answers, once.
 * @throws CONFLICT saying why it does not
 */
export async function requireApi(session: Session): Promise<void> {
  await observeTrust(session);
  const state = await apiReadiness(session.context);
  if (state === 'ok') return;
  throw new KeelsonError('CONFLICT', `there is no running API: ${state}`, {
    host: session.context.first.name,
    hint: 'bring the first control plane up with keelson init, or everything with keelson apply',
  });
}

/**
 * Authorities that `phases` sign with, that stand nowhere, and that none of `phases` makes. Signing with one
 * that is not kept would give certificates that nothing trusts.
 * @returns names of the phases that make them
 */
export function lackingAuthorities(context: PhaseContext, phases: readonly KeelsonPhase[]): string[] {
  const { cluster } = context.config;
  const names = new Set(phases.map((phase) => phase.name));
  const signing = new Set([
    ...leavesOf(cluster)
      .filter((row) => names.has(`certs/${row.name}`))
      .map((row) => row.authority),
    ...([...names].some((name) => name.startsWith('kubeconfig/')) ? (['ca'] as const) : []),
  ]);
  const entries = context.trust.entries(context.first.name);
  return authoritiesOf(cluster)
    .filter((row) => signing.has(row.name) && !names.has(`certs/${row.name}`))
    .filter((row) => entries.find((entry) => entry.name === row.name)?.standing === 'missing')
    .map((row) => `certs/${row.name}`);
}
