import { durationMs } from '../../config/go-duration.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { createAuthority } from '../../pki/issue.js';
import { type AuthorityName, authoritiesOf, certificatePaths } from '../../pki/table.js';
import type { RotationKind } from './kind.js';

/** How an authority of the certificate table is found and made. */
export function authorityPair(name: AuthorityName): Pick<RotationKind, 'create' | 'present'> {
  return {
    create: ({ cluster }, context) => {
      const row = authoritiesOf(cluster).find((candidate) => candidate.name === name);
      if (row === undefined) throw new KeelsonError('BUG', `this cluster has no ${name}`);
      const validityMs = durationMs(cluster.caCertificateValidityPeriod);
      const spec = { commonName: row.commonName, algorithm: cluster.encryptionAlgorithm, validityMs };
      return createAuthority(spec, context);
    },
    present: ({ cluster }, files) => {
      const row = authoritiesOf(cluster).find((candidate) => candidate.name === name);
      if (row === undefined) return null;
      const { cert, key } = certificatePaths(cluster, row);
      const certPem = files.get(cert)?.toString();
      const keyPem = files.get(key)?.toString();
      return certPem === undefined || keyPem === undefined ? null : { certPem, keyPem };
    },
  };
}
