import { etcdHosts } from '../config/inventory.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { KeelsonPhase, PhaseContext } from '../phases/context.js';
import { apiReadiness } from '../phases/wait/control-plane.js';
import { authoritiesOf, leavesOf } from '../pki/table.js';
import type { Session } from './session.js';

/** Hosts with what all others' certificates are signed by: the first control plane, and those of role etcd. */
export function trustHolders({ first, config }: PhaseContext): string[] {
  return [first.name, ...etcdHosts(config).map((host) => host.name)];
}

/** Takes over the authorities and the admin identity from where they are, as planning does by itself. */
export async function observeTrust({ context, effects, hosts }: Session): Promise<void> {
  const { trust, signal } = context;
  const reached = trustHolders(context).filter((name) => hosts.has(name));
  await Promise.all(
    reached.map(async (name) =>
      trust.observed(name, await effects.host(name).read(trust.request(name), { signal })),
    ),
  );
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
    ...[...leavesOf(cluster), ...leavesOf(cluster, 'etcd')]
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
