import { createHash, type KeyObject } from 'node:crypto';
import { type CertificateInfo, inspectBundle } from '../inspect.js';
import type { FoundCertificate, SurveyFinding } from './types.js';

const DAY_MS = 86_400_000;

/** All certificates that were met, by fingerprint, so that it can be told who signed whom. */
export interface CertificateBook {
  /** The certificate as the survey tells it; `signedBy` is null until all are known. */
  add: (info: CertificateInfo) => FoundCertificate;
  /** The fingerprint of the authority that signed it; of several of one key the first one of `preferred`. */
  signerOf: (fingerprint: string, preferred: readonly string[]) => string | null;
}

export function certificateBook(now: Date): CertificateBook {
  const infos = new Map<string, CertificateInfo>();
  const signed = (child: CertificateInfo, parent: CertificateInfo) =>
    child.x509.checkIssued(parent.x509) && child.x509.verify(parent.x509.publicKey);
  return {
    add: (info) => {
      const described = describeCertificate(info, now);
      infos.set(described.fingerprint, info);
      return described;
    },
    signerOf: (fingerprint, preferred) => {
      const info = infos.get(fingerprint);
      if (info === undefined) return null;
      const authorities = [...infos].filter(([, candidate]) => candidate.isAuthority);
      authorities.sort(([a], [b]) => Number(preferred.includes(b)) - Number(preferred.includes(a)));
      return authorities.find(([, candidate]) => signed(info, candidate))?.[0] ?? null;
    },
  };
}

function describeCertificate(info: CertificateInfo, now: Date): FoundCertificate {
  const { commonName, organizations, x509 } = info;
  return {
    subject: [`CN=${commonName}`, ...organizations.map((name) => `O=${name}`)].join(', '),
    commonName,
    organizations,
    issuer: info.issuerCommonName,
    serial: info.serial,
    fingerprint: fingerprintOf(info),
    publicKey: publicKeyDigest(x509.publicKey),
    notBefore: info.notBefore.toISOString(),
    notAfter: info.notAfter.toISOString(),
    daysLeft: Math.floor((info.notAfter.getTime() - now.getTime()) / DAY_MS),
    sans: info.sans,
    algorithm: info.algorithm,
    isAuthority: info.isAuthority,
    selfSigned: x509.checkIssued(x509) && x509.verify(x509.publicKey),
    signedBy: null,
  };
}

function fingerprintOf({ x509 }: Pick<CertificateInfo, 'x509'>): string {
  return createHash('sha256').update(x509.raw).digest('hex');
}

/** sha256 of a public key's SubjectPublicKeyInfo, lower-case hex. */
export function publicKeyDigest(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** The certificates of a PEM text, or the finding that says why there are none. */
export function certificatesIn(
  pem: string,
  place: string,
): { infos: readonly CertificateInfo[] } | { failure: SurveyFinding } {
  try {
    return { infos: inspectBundle(pem, place) };
  } catch {
    const message = 'holds no readable certificate';
    return {
      failure: { code: 'unreadable', severity: 'error', message, remedy: 'put PEM certificates there' },
    };
  }
}
