import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { isMap, isSeq, parseDocument, type YAMLMap } from 'yaml';
import { readKubeconfig } from '../../pki/kubeconfig.js';
import { rewriteFile } from '../kubeconfig.js';
import { textOf } from '../merge-kubeconfig.js';

/**
 * The kubeconfig with fresh credentials for users who are one of these identities: of the same name, signed by the
 * same authority. Everything else, comments too, stays.
 * @param identities kubeconfigs as they are now on the hosts; of several of one name the first is taken
 */
export function withFreshUsers(text: string, identities: readonly string[]): string {
  const document = parseDocument(text);
  const users = document.get('users');
  if (document.errors.length > 0 || !isSeq(users)) return text;
  const fresh = identities.flatMap((identity) => {
    const { certPem, keyPem, caPem } = readKubeconfig(identity, 'identity');
    if (certPem === null || keyPem === null || caPem === null) return [];
    return [{ certificate: new X509Certificate(certPem), ca: new X509Certificate(caPem), certPem, keyPem }];
  });
  let changed = false;
  for (const item of users.items) {
    const user = isMap(item) ? item.get('user') : undefined;
    if (!isMap(user)) continue;
    const held = certificateOf(user);
    const match =
      held &&
      fresh.find(({ certificate, ca }) => certificate.subject === held.subject && isSignedBy(held, ca));
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
 * Brings renewed identities into kubeconfigs of the operator's that hold older ones. Files that are not there are
 * left out.
 * @returns files that were changed
 */
export async function refreshKubeconfigs(
  files: readonly string[],
  identities: readonly string[],
): Promise<string[]> {
  const changed: string[] = [];
  for (const file of new Set(files)) {
    // Where there is no file, its directory may be missing too.
    if ((await readFile(file, 'utf8').catch(() => '')) === '') continue;
    if (await rewriteFile(file, (before) => withFreshUsers(before, identities))) changed.push(file);
  }
  return changed;
}
