import { KeelsonError } from '../../errors/keelson-error.js';
import type { Authority } from '../../pki/issue.js';
import type { AuthorityName } from '../../pki/table.js';
import type { PhaseContext } from '../context.js';

/**
 * Why an authority of the cluster can't sign; null where it can. One that is missing is not made here: nothing would
 * trust it.
 */
export function obstacleTo(context: PhaseContext, name: AuthorityName): string | null {
  const holder = name === 'etcd-ca' ? context.inventory.find(({ role }) => role === 'etcd') : undefined;
  const entries = context.trust.entries(holder?.name ?? context.first.name);
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry === undefined || entry.standing === 'missing') return `${name} is not there`;
  if (entry.standing === 'invalid') return `${name} ${entry.findings[0]?.message ?? 'is not valid'}`;
  return entry.external && !context.trust.keyAtHand(name) ? `the key of ${name} is not on the hosts` : null;
}

/** @throws PKI where the authority can't sign */
export async function signer(context: PhaseContext, name: AuthorityName): Promise<Authority> {
  const obstacle = obstacleTo(context, name);
  const authority = obstacle === null ? await context.trust.authority(name) : null;
  if (authority !== null) return authority;
  throw new KeelsonError('PKI', `nothing can be signed: ${obstacle ?? name}`, {
    hint: 'with keys that keelson certs take-keys took away, give --ca-keys FILE; with an external authority, have it sign: keelson certs renew --csr-only',
  });
}
