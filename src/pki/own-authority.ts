import { KeelsonError } from '../errors/keelson-error.js';
import { inspectBundle, withinPeriod } from './inspect.js';
import type { CertAndKey } from './issue.js';
import { parsePrivateKey } from './keys.js';

/**
 * Makes sure that a pair from elsewhere can be an authority of a cluster: one certificate, of an authority, valid, with
 * its key. It may be an intermediate one.
 * @param paths of both, for messages
 * @throws PKI with the first thing that is wrong
 */
export function refuseUnfitAuthority(
  { certPem, keyPem }: CertAndKey,
  paths: { cert: string; key: string },
  now: Date,
): void {
  const [info, ...more] = inspectBundle(certPem, paths.cert);
  const key = parsePrivateKey(keyPem, paths.key);
  const wrong =
    more.length > 0
      ? `${paths.cert} has ${more.length + 1} certificates: leave the authority's own alone in it`
      : !info.isAuthority
        ? `${paths.cert} is no certificate authority`
        : !withinPeriod(info, now)
          ? `${paths.cert} is valid from ${info.notBefore.toISOString()} to ${info.notAfter.toISOString()}`
          : info.x509.checkPrivateKey(key)
            ? null
            : `${paths.key} is not the key of ${paths.cert}`;
  if (wrong !== null) throw new KeelsonError('PKI', wrong, { hint: 'nothing was changed' });
}
