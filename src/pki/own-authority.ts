import { KeelsonError } from '../errors/keelson-error.js';
import { type CertificateInfo, descendsFrom, inspectBundle, withinPeriod } from './inspect.js';
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

const signedItself = ({ x509 }: CertificateInfo) => x509.checkIssued(x509) && x509.verify(x509.publicKey);

/**
 * The authority's own certificate out of a file that may hold the chain above it too, which is checked up to a root.
 * @param above further certificates of the chain, PEM, in any order; '' for none
 * @returns PEM of the first certificate alone: a controller manager signs with a file of one only
 * @throws PKI for an intermediate authority whose chain does not end with a root that signed itself
 */
export function authorityOfChain(certPem: string, above: string, path: string, now: Date): string {
  const [own, ...more] = inspectBundle(above === '' ? certPem : `${certPem.trimEnd()}\n${above}`, path);
  if (signedItself(own)) return own.pem;
  const roots = more.filter(signedItself);
  if (roots.length > 0 && descendsFrom(own, more, roots, now)) return own.pem;
  const why =
    roots.length === 0
      ? `the certificates from ${own.issuerCommonName} up to its root are not there`
      : 'it does not descend from the root beside it, or a certificate between them is not valid now';
  throw new KeelsonError('PKI', `${path} is of an intermediate authority, and ${why}`, {
    hint: 'put the certificates above it behind it in ca.crt, or into chain.crt; nothing was changed',
  });
}
