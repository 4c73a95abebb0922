import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { generateKey, privateKeyPem } from '../../pki/keys.js';
import { makeRequest } from '../../pki/make-request.js';
import { type AuthorityName, authoritiesOf } from '../../pki/table.js';

/** Authorities that can be asked for, by the name of their rotation. */
export const REQUESTABLE: Readonly<Record<string, AuthorityName>> = {
  'cluster-ca': 'ca',
  'etcd-ca': 'etcd-ca',
  'front-proxy-ca': 'front-proxy-ca',
};

/**
 * A new key for an authority of the cluster, and the request to have it certified by the authority above. Needs no host.
 * @param what one of `REQUESTABLE`
 * @returns `keyPem` is a secret
 * @throws USAGE for what this cluster has not
 */
export async function authorityRequest(
  { cluster, name }: ClusterConfig,
  what: string,
): Promise<{ csrPem: string; keyPem: string }> {
  const row = authoritiesOf(cluster).find((candidate) => candidate.name === REQUESTABLE[what]);
  if (row === undefined) {
    throw new KeelsonError('USAGE', `${what} is no authority of ${name}`, {
      hint: `there are ${Object.keys(REQUESTABLE).join(', ')}`,
    });
  }
  const key = await generateKey(cluster.encryptionAlgorithm);
  const spec = { commonName: row.commonName, organizations: [], sans: { dns: [], ips: [] }, authority: true };
  return { csrPem: await makeRequest(spec, key), keyPem: privateKeyPem(key) };
}
