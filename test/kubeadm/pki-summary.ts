import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { parse } from 'yaml';
import { parseKubernetesYaml } from '../../src/manifests/yaml.js';
import type { PkiFiles } from '../../src/pki/cluster-pki.js';
import { inspectBundle } from '../../src/pki/inspect.js';
import { parsePrivateKey, publicKeyBits } from '../../src/pki/keys.js';
import * as x509 from '../../src/pki/x509-library.js';

/** Everything about a set of files that has to be equal, with what is random by nature left out. */
export function pkiSummary(files: PkiFiles): Record<string, unknown> {
  const paths = [...files.keys()].sort();
  return Object.fromEntries(
    paths.map((path) => {
      const file = files.get(path);
      const text = file?.content.toString() ?? '';
      const body = path.endsWith('.conf')
        ? kubeconfigSummary(text, files)
        : path.endsWith('.crt')
          ? certificateSummary(text, files)
          : keySummary(text, files.get(`${path.replace(/\.[a-z]+$/, '')}.crt`)?.content.toString());
      return [path, { mode: file?.mode.toString(8), body }];
    }),
  );
}

const KEY_IDENTIFIER = '2.5.29.14';
const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';

function certificateSummary(pem: string, files: PkiFiles): Record<string, unknown> {
  const certificate = new x509.X509Certificate(pem);
  const info = inspectBundle(pem, 'certificate')[0];
  const authority = authorityOf(info.issuerCommonName, files);
  const authorityKeyId = certificate.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  return {
    form: pem.replace(/[A-Za-z0-9+/=]{64}\n/g, '').replace(/^[A-Za-z0-9+/=]{1,63}\n/m, ''),
    subject: Buffer.from(certificate.subjectName.toArrayBuffer()).toString('hex'),
    issuer: Buffer.from(certificate.issuerName.toArrayBuffer()).toString('hex'),
    algorithm: info.algorithm,
    signatureAlgorithm: certificate.signatureAlgorithm,
    serialBytes: certificate.serialNumber.length / 2 <= 8,
    startsBackdated: Math.abs(info.notBefore.getTime() - authority.notBefore.getTime()) <= 5_000,
    validSeconds: Math.round((info.notAfter.getTime() - info.notBefore.getTime()) / 60_000) * 60,
    signed: info.x509.verify(authority.x509.publicKey) && info.x509.checkIssued(authority.x509),
    extensions: certificate.extensions.map(({ type, critical, value }) => {
      const opaque = type === KEY_IDENTIFIER || type === AUTHORITY_KEY_IDENTIFIER;
      return { type, critical, value: opaque ? value.byteLength : Buffer.from(value).toString('hex') };
    }),
    keyIdIsGos: info.isAuthority
      ? expectedKeyIds(info.x509.publicKey).includes(keyIdOf(certificate) ?? '')
      : undefined,
    authorityKeyIdIsAuthoritys:
      authorityKeyId === (info.isAuthority ? undefined : keyIdOf(new x509.X509Certificate(authority.pem))),
  };
}

function keyIdOf(certificate: x509.X509Certificate): string | undefined {
  return certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
}

/**
 * Go's subject key identifier: the first 160 bits of the SHA-256 of the public key's bits (RFC 7093, method 1); for
 * programs of Go 1.24, such as kubeadm v1.34, their SHA-1 (RFC 5280, method 1).
 */
function expectedKeyIds(publicKey: KeyObject): string[] {
  return ['sha256', 'sha1'].map((hash) =>
    createHash(hash).update(publicKeyBits(publicKey)).digest('hex').slice(0, 40),
  );
}

function authorityOf(issuer: string, files: PkiFiles) {
  const path = {
    kubernetes: 'pki/ca.crt',
    'front-proxy-ca': 'pki/front-proxy-ca.crt',
    'etcd-ca': 'pki/etcd/ca.crt',
  }[issuer];
  return inspectBundle(files.get(path ?? '')?.content.toString() ?? '', path ?? issuer)[0];
}

function keySummary(pem: string, certPem: string | undefined): Record<string, unknown> {
  const label = /BEGIN ([A-Z ]+)-/.exec(pem)?.[1];
  const publicKey = pem.includes('PRIVATE')
    ? createPublicKey(parsePrivateKey(pem, 'key'))
    : createPublicKey(pem);
  const certificate = certPem === undefined ? undefined : inspectBundle(certPem, 'certificate')[0];
  return {
    label,
    widest: Math.max(...pem.split('\n').map((line) => line.length)),
    ends: pem.slice(-2),
    type: publicKey.asymmetricKeyType,
    details: publicKey.asymmetricKeyDetails,
    matches: certificate?.x509.publicKey.equals(publicKey),
  };
}

function kubeconfigSummary(text: string, files: PkiFiles): Record<string, unknown> {
  const masked = text.replace(/(-data: ).*/g, '$1DATA');
  const user = parse(text).users[0].user;
  const decoded = (field: string) => Buffer.from(String(user[field]), 'base64').toString();
  const certPem = decoded('client-certificate-data');
  const { validSeconds: _, ...certificate } = certificateSummary(certPem, files);
  const { notBefore, notAfter } = inspectBundle(certPem, 'certificate')[0];
  const authority = inspectBundle(files.get('pki/ca.crt')?.content.toString() ?? '', 'ca')[0];
  const reference = inspectBundle(files.get('pki/apiserver.crt')?.content.toString() ?? '', 'apiserver')[0];
  return {
    // Quoting differs in style; what is quoted must be the same string to a reader of YAML 1.1.
    text: masked.replace(/["']/g, ''),
    content: parseKubernetesYaml(masked)[0],
    trusted:
      Buffer.from(parse(text).clusters[0].cluster['certificate-authority-data'], 'base64').toString() ===
      authority.pem,
    certificate,
    startsWithAuthority: notBefore.getTime() === authority.notBefore.getTime(),
    endsAsLeavesDo: Math.abs(notAfter.getTime() - reference.notAfter.getTime()) <= 120_000,
    key: keySummary(decoded('client-key-data'), certPem),
  };
}
