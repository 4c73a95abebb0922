import { X509Certificate } from 'node:crypto';
import { KeelsonError } from '../errors/keelson-error.js';
import { pemBlocks, toPem } from './pem.js';
import { canonicalIp, type Sans } from './san.js';
import type { Usage } from './table.js';

/** What a certificate says. */
export interface CertificateInfo {
  /** Encoded anew: 64 columns, trailing newline. */
  pem: string;
  commonName: string;
  organizations: readonly string[];
  issuerCommonName: string;
  /** Upper-case hex. */
  serial: string;
  notBefore: Date;
  notAfter: Date;
  isAuthority: boolean;
  /** `serverAuth`, `clientAuth`, or the OID of another extended usage. */
  usages: readonly (Usage | string)[];
  sans: Sans;
  /** As kubeadm names it (`RSA-2048`, `ECDSA-P256`); of other keys the type. */
  algorithm: string;
  x509: X509Certificate;
}

const USAGES: Readonly<Record<string, Usage>> = {
  '1.3.6.1.5.5.7.3.1': 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
};
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P256',
  secp384r1: 'P384',
  secp521r1: 'P521',
};

/** All certificates of a PEM file, in its order; at least one. Throws PKI naming `path`. */
export function inspectBundle(pem: string, path: string): [CertificateInfo, ...CertificateInfo[]] {
  const unreadable = (cause?: unknown) =>
    new KeelsonError('PKI', `${path} holds no readable certificate`, {
      cause,
      hint: 'put a PEM certificate there',
    });
  let infos: CertificateInfo[];
  try {
    infos = pemBlocks(pem, 'CERTIFICATE').map(inspectOne);
  } catch (cause) {
    throw unreadable(cause);
  }
  const [first, ...rest] = infos;
  if (first === undefined) throw unreadable();
  return [first, ...rest];
}

function inspectOne(pem: string): CertificateInfo {
  const x509 = new X509Certificate(pem);
  const legacy = x509.toLegacyObject();
  return {
    pem: toPem(x509.raw, 'CERTIFICATE'),
    commonName: fieldValues(legacy.subject, 'CN')[0] ?? '',
    organizations: fieldValues(legacy.subject, 'O'),
    issuerCommonName: fieldValues(legacy.issuer, 'CN')[0] ?? '',
    serial: x509.serialNumber,
    notBefore: new Date(x509.validFrom),
    notAfter: new Date(x509.validTo),
    isAuthority: x509.ca,
    usages: (x509.keyUsage ?? []).map((oid) => USAGES[oid] ?? oid),
    sans: parseSubjectAltName(x509.subjectAltName ?? ''),
    algorithm: algorithmOf(x509),
    x509,
  };
}

/** A name's values of one kind: Node gives a string for one, an array for several. */
function fieldValues(name: object | undefined, field: string): string[] {
  const value = Object.entries(name ?? {}).find(([key]) => key === field)?.[1];
  return value === undefined ? [] : [value].flat().map(String);
}

/** Node's text of the extension: `DNS:a, IP Address:10.0.0.1, DNS:"quoted, as JSON"`. */
function parseSubjectAltName(text: string): Sans {
  const dns: string[] = [];
  const ips: string[] = [];
  for (const match of text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)) {
    const raw = match[2] ?? '';
    const value = raw.startsWith('"') ? String(JSON.parse(raw)) : raw;
    if (match[1] === 'DNS') dns.push(value);
    else if (match[1] === 'IP Address') ips.push(canonicalIp(value) ?? value);
  }
  return { dns, ips };
}

function algorithmOf(x509: X509Certificate): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = x509.publicKey;
  if (type === 'rsa') return `RSA-${details?.modulusLength}`;
  if (type === 'ec') return `ECDSA-${CURVES[details?.namedCurve ?? ''] ?? details?.namedCurve}`;
  return String(type);
}

/**
 * Whether `leaf` descends from one of `roots`, over `intermediates` in any order, every certificate of the
 * path within its period at `now`. Names, key identifiers and signatures are checked.
 */
export function descendsFrom(
  leaf: CertificateInfo,
  intermediates: readonly CertificateInfo[],
  roots: readonly CertificateInfo[],
  now: Date,
): boolean {
  const signed = (parent: CertificateInfo): boolean =>
    parent.isAuthority &&
    withinPeriod(parent, now) &&
    leaf.x509.checkIssued(parent.x509) &&
    leaf.x509.verify(parent.x509.publicKey);
  if (roots.some(signed)) return true;
  return intermediates.filter(signed).some((parent) =>
    descendsFrom(
      parent,
      intermediates.filter((other) => other !== parent),
      roots,
      now,
    ),
  );
}

export function withinPeriod(info: CertificateInfo, now: Date): boolean {
  return info.notBefore <= now && now <= info.notAfter;
}
