import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { isMap, isSeq, parseDocument, type YAMLMap } from 'yaml';
import { readKubeconfig } from '../../pki/kubeconfig.js';
import { holdsCertificates, sameCertificates } from '../../pki/rotation.js';
import { rewriteFile } from '../kubeconfig.js';
import { textOf } from '../merge-kubeconfig.js';

/**
 * The kubeconfig with fresh credentials for users who are one of these identities: of the same name, signed by the
 * same authority. Everything else, comments too, stays.
 * @param identities kubeconfigs as they are now on the hosts; of several of one name the first is taken
 * @param authorities that stand for one another, PEM: who was signed by one is who is signed by another
 */
export function withFreshUsers(
  text: string,
  identities: readonly string[],
  authorities: readonly string[] = [],
): string {
  const document = parseDocument(text);
  const users = document.get('users');
  if (document.errors.length > 0 || !isSeq(users)) return text;
  const fresh = identities.flatMap((identity) => {
    const { certPem, keyPem, caPem } = readKubeconfig(identity, 'identity');
    if (certPem === null || keyPem === null || caPem === null) return [];
    const cas = [caPem, ...authorities].map((pem) => new X509Certificate(pem));
    return [{ certificate: new X509Certificate(certPem), cas, certPem, keyPem }];
  });
  let changed = false;
  for (const item of users.items) {
    const user = isMap(item) ? item.get('user') : undefined;
    if (!isMap(user)) continue;
    const held = certificateOf(user);
    const match =
      held &&
      fresh.find(
        ({ certificate, cas }) =>
          certificate.subject === held.subject && cas.some((ca) => isSignedBy(held, ca)),
      );
    if (match === null || match === undefined || match.certificate.fingerprint256 === held?.fingerprint256)
      continue;
    user.set('client-certificate-data', Buffer.from(match.certPem).toString('base64'));
    user.set('client-key-data', Buffer.from(match.keyPem).toString('base64'));
    changed = true;
  }
  return changed ? textOf(document, text) : text;
}

function certificateOf(user: YAMLMap): X509Certificate | null {
  const data = user.get('client-certificate-data');
  if (typeof data !== 'string') return null;
  try {
    return new X509Certificate(Buffer.from(data, 'base64'));
  } catch {
    return null;
  }
}

function isSignedBy(held: X509Certificate, ca: X509Certificate): boolean {
  return held.checkIssued(ca) && held.verify(ca.publicKey);
}

/**
 * The kubeconfig with `bundle` in place of what trusts one of these authorities. Everything else, comments too, stays.
 * @param authorities PEM, one certificate each
 */
export function withFreshTrust(text: string, authorities: readonly string[], bundle: string): string {
  const document = parseDocument(text);
  const clusters = document.get('clusters');
  if (document.errors.length > 0 || !isSeq(clusters)) return text;
  let changed = false;
  for (const item of clusters.items) {
    const cluster = isMap(item) ? item.get('cluster') : undefined;
    const data = isMap(cluster) ? cluster.get('certificate-authority-data') : undefined;
    if (!isMap(cluster) || typeof data !== 'string') continue;
    const held = Buffer.from(data, 'base64').toString();
    const concerned = readable(() => authorities.some((authority) => holdsCertificates(held, authority)));
    if (!concerned || sameCertificates(held, bundle)) continue;
    cluster.set('certificate-authority-data', Buffer.from(bundle).toString('base64'));
    changed = true;
  }
  return changed ? textOf(document, text) : text;
}

/** A bundle that can't be read is nobody's of ours. */
function readable(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

/** What a rotation changed for whoever is outside of the cluster. `identities` are secrets. */
export interface FreshTrust {
  /** Kubeconfigs as they are now on the hosts. */
  identities: readonly string[];
  /** The old authority and the new one, PEM. */
  authorities: readonly string[];
  /** All that is trusted now, PEM. */
  bundle: string;
}

/**
 * Brings renewed identities into kubeconfigs of the operator's that hold older ones. Files that are not there are
 * left out.
 * @returns files that were changed
 */
export async function refreshKubeconfigs(
  files: readonly string[],
  { identities, authorities = [], bundle }: Pick<FreshTrust, 'identities'> & Partial<FreshTrust>,
): Promise<string[]> {
  const changed: string[] = [];
  const freshened = (before: string) => {
    const text = withFreshUsers(before, identities, authorities);
    return bundle === undefined ? text : withFreshTrust(text, authorities, bundle);
  };
  for (const file of new Set(files)) {
    // Where there is no file, its directory may be missing too.
    if ((await readFile(file, 'utf8').catch(() => '')) === '') continue;
    if (await rewriteFile(file, freshened)) changed.push(file);
  }
  return changed;
}
