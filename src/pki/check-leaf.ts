import type { KeyObject } from 'node:crypto';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Finding, finding } from './findings.js';
import { type CertificateInfo, descendsFrom, inspectBundle } from './inspect.js';
import { parsePrivateKey } from './keys.js';
import { lackingSans, type Sans } from './san.js';
import type { Usage } from './table.js';

/** What a leaf certificate has to be. */
export interface LeafExpectation {
  commonName: string;
  organizations: readonly string[];
  usages: readonly Usage[];
  sans: Sans;
  /** Whether another CN or O makes it useless (client identities) or is the user's choice (default). */
  identityMatters?: boolean;
}

/** A leaf's files. `certPem` may hold intermediates after the leaf, `caPem` several roots. */
export interface LeafFiles {
  certPem: string;
  keyPem: string | null;
  caPem: string;
  certPath: string;
  keyPath: string;
  caPath: string;
}

/**
 * Everything that is wrong with a leaf certificate at `now`; [] where it can be used as it is.
 * More names, usages or groups than expected are no finding.
 */
export function checkLeaf(expected: LeafExpectation, files: LeafFiles, now: Date): Finding[] {
  const chain = attempt(() => inspectBundle(files.certPem, files.certPath), files.certPath);
  if ('failure' in chain) return [chain.failure];
  const roots = attempt(() => inspectBundle(files.caPem, files.caPath), files.caPath);
  if ('failure' in roots) return [roots.failure];
  const [leaf, ...intermediates] = chain.value;
  return [
    ...checkPeriod(leaf, files.certPath, now),
    ...checkKey(leaf, files),
    ...checkDescent(leaf, intermediates, roots.value, files, now),
    ...checkContent(leaf, expected, files.certPath),
  ];
}

/** Findings about a certificate's period. */
export function checkPeriod(info: CertificateInfo, path: string, now: Date): Finding[] {
  if (now > info.notAfter) {
    return [finding('expired', path, `expired on ${info.notAfter.toISOString()}`, 'run keelson certs renew')];
  }
  if (now < info.notBefore) {
    const message = `is valid only from ${info.notBefore.toISOString()} on`;
    return [finding('not-yet-valid', path, message, 'set the clocks of this machine and of the host right')];
  }
  return [];
}

/** `read`'s value, or the finding that its error means. */
export function attempt<T>(read: () => T, path: string): { value: T } | { failure: Finding } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error;
    // A finding names its file beside its message.
    const message = error.message.startsWith(`${path} `)
      ? error.message.slice(path.length + 1)
      : error.message;
    return { failure: finding('unreadable', path, message, error.hint ?? 'put a readable file there') };
  }
}

function checkKey(leaf: CertificateInfo, { keyPem, keyPath, certPath }: LeafFiles): Finding[] {
  if (keyPem === null) {
    return [
      finding(
        'key-missing',
        keyPath,
        `is missing beside ${certPath}`,
        'put the key of the certificate there',
      ),
    ];
  }
  const key = attempt((): KeyObject => parsePrivateKey(keyPem, keyPath), keyPath);
  if ('failure' in key) return [key.failure];
  if (leaf.x509.checkPrivateKey(key.value)) return [];
  return [
    finding(
      'key-differs',
      keyPath,
      `is not the key of ${certPath}`,
      'put the matching pair in place, or remove both',
    ),
  ];
}

function checkDescent(
  leaf: CertificateInfo,
  intermediates: readonly CertificateInfo[],
  roots: readonly CertificateInfo[],
  { certPath, caPath }: LeafFiles,
  now: Date,
): Finding[] {
  if (descendsFrom(leaf, intermediates, roots, now)) return [];
  const message = `is not signed by ${caPath} (its issuer is '${leaf.issuerCommonName}')`;
  return [
    finding(
      'authority-differs',
      certPath,
      message,
      'put the certificate of this authority there, or remove it with its key so that it is issued anew',
    ),
  ];
}

function checkContent(leaf: CertificateInfo, expected: LeafExpectation, path: string): Finding[] {
  const findings: Finding[] = [];
  // Without the extension a certificate is good for every usage.
  const usages =
    leaf.usages.length === 0 ? [] : expected.usages.filter((usage) => !leaf.usages.includes(usage));
  if (usages.length > 0) {
    const message = `can't be used for ${usages.join(' and ')}`;
    findings.push(
      finding('usages-lacking', path, message, 'remove it with its key so that it is issued anew'),
    );
  }
  const sans = lackingSans(expected.sans, leaf.sans);
  if (sans.length > 0) {
    const message = `is not valid for ${sans.join(', ')}`;
    findings.push(finding('sans-lacking', path, message, 'have it issued anew with these names'));
  }
  const missing = expected.organizations.filter((name) => !leaf.organizations.includes(name));
  if (leaf.commonName !== expected.commonName || missing.length > 0) {
    const message = `is of ${identity(leaf)} instead of ${identity(expected)}`;
    const severity = expected.identityMatters ? 'error' : 'warning';
    findings.push(
      finding('subject-differs', path, message, 'have it issued anew unless this is meant', severity),
    );
  }
  return findings;
}

function identity(name: { commonName: string; organizations: readonly string[] }): string {
  return [`CN=${name.commonName}`, ...name.organizations.map((organization) => `O=${organization}`)].join(
    ', ',
  );
}
