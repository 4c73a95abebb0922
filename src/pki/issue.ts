import { createHash, createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import type { EncryptionAlgorithm } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { inspectBundle } from './inspect.js';
import { type GenerateKey, generateKey, parsePrivateKey, privateKeyPem, publicKeyBits } from './keys.js';
import { toPem } from './pem.js';
import type { CertificateRequest } from './request.js';
import type { Sans } from './san.js';
import type { Usage } from './table.js';
import type { Extension, Name, X509Certificate } from './x509-library.js';

/** Sources of time, randomness and keys. */
export interface IssueContext {
  now: Date;
  /** Bytes for serial numbers; default node:crypto. */
  random?: (size: number) => Uint8Array;
  /** Default: a fresh key each time. */
  generateKey?: GenerateKey;
}

export interface CertAndKey {
  certPem: string;
  keyPem: string;
}

/** An authority that can sign. */
export interface Authority {
  /** The first certificate of its file, PEM. */
  certPem: string;
  certificate: X509Certificate;
  signingKey: CryptoKey;
  signingHash: string;
}

export interface AuthoritySpec {
  commonName: string;
  algorithm: EncryptionAlgorithm;
  /** Milliseconds from now. */
  validityMs: number;
}

export interface LeafSpec extends AuthoritySpec {
  organizations: readonly string[];
  usages: readonly Usage[];
  sans: Sans;
  /** `backdated`: five minutes ago; `authority`: as early as the authority (what kubeadm does for kubeconfigs). */
  notBefore: 'backdated' | 'authority';
}

type CryptoKey = webcrypto.CryptoKey;
type Library = typeof import('./x509-library.js');

/** kubeadm's CertificateBackdate: certificates start five minutes early, for clocks that lag. */
const BACKDATE_MS = 5 * 60_000;

const HASHES: Readonly<Record<string, string>> = {
  'P-256': 'SHA-256',
  'P-384': 'SHA-384',
  'P-521': 'SHA-512',
};

/** A self-signed authority. Its CN is also a DNS name of it, as kubeadm writes it. */
export async function createAuthority(spec: AuthoritySpec, context: IssueContext): Promise<CertAndKey> {
  const library = await import('./x509-library.js');
  const key = await (context.generateKey ?? generateKey)(spec.algorithm);
  const { signingKey, signingHash } = await importSigningKey(key);
  const publicKey = createPublicKey(key);
  const flags = library.KeyUsageFlags;
  const name = subject(library, spec.commonName, []);
  const certificate = await library.X509CertificateGenerator.create({
    ...(await validity(spec, context, null)),
    serialNumber: serial(context),
    subject: name,
    issuer: name,
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    signingKey,
    signingAlgorithm: { name: signingKey.algorithm.name, hash: signingHash },
    extensions: [
      new library.KeyUsagesExtension(
        flags.digitalSignature | flags.keyEncipherment | flags.keyCertSign,
        true,
      ),
      new library.BasicConstraintsExtension(true, undefined, true),
      new library.SubjectKeyIdentifierExtension(keyIdentifier(publicKey)),
      sansExtension(library, { dns: [spec.commonName], ips: [] }),
    ],
  });
  return { certPem: toPem(new Uint8Array(certificate.rawData), 'CERTIFICATE'), keyPem: privateKeyPem(key) };
}

/**
 * An authority from its files, ready to sign. Throws PKI naming the file that is missing, unreadable, no
 * authority, or of another key.
 * @param pair `keyPem` null: the key is kept elsewhere, and nothing can be signed here
 */
export async function openAuthority(
  pair: { certPem: string; keyPem: string | null },
  paths: { cert: string; key: string },
): Promise<Authority> {
  const info = inspectBundle(pair.certPem, paths.cert)[0];
  if (!info.isAuthority) {
    throw new KeelsonError('PKI', `${paths.cert} is no certificate authority`, {
      hint: 'put the certificate of the authority there, basic constraints CA:TRUE',
    });
  }
  if (pair.keyPem === null) {
    throw new KeelsonError('PKI', `can't sign: ${paths.key} is missing beside ${paths.cert}`, {
      hint: `with an external authority, have it sign the certificates and put them in place; else put ${paths.key} there`,
    });
  }
  const key = parsePrivateKey(pair.keyPem, paths.key);
  if (!info.x509.checkPrivateKey(key)) {
    throw new KeelsonError('PKI', `${paths.key} is not the key of ${paths.cert}`, {
      hint: 'put the matching pair in place',
    });
  }
  const library = await import('./x509-library.js');
  return {
    certPem: info.pem,
    certificate: new library.X509Certificate(info.x509.raw),
    ...(await importSigningKey(key)),
  };
}

/** A certificate signed by `authority`, with a key of its own. */
export async function createLeaf(
  spec: LeafSpec,
  authority: Authority,
  context: IssueContext,
): Promise<CertAndKey> {
  const key = await (context.generateKey ?? generateKey)(spec.algorithm);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    certPem: await signLeaf({ ...spec, publicKey, keyEncipherment: true }, authority, context),
    keyPem: privateKeyPem(key),
  };
}

/**
 * A certificate for the key of a certificate request, PEM. The caller has decided that the request may have
 * what `spec` says; nothing but the public key is taken from it.
 */
export async function signRequest(
  request: CertificateRequest,
  spec: Omit<LeafSpec, 'algorithm'>,
  authority: Authority,
  context: IssueContext,
): Promise<string> {
  const publicKey = Buffer.from(request.publicKey.rawData);
  // As the controller manager signs: keys of RSA may also encipher, those of ECDSA can't.
  const keyEncipherment =
    createPublicKey({ key: publicKey, type: 'spki', format: 'der' }).asymmetricKeyType === 'rsa';
  return signLeaf({ ...spec, publicKey, keyEncipherment }, authority, context);
}

async function signLeaf(
  spec: Omit<LeafSpec, 'algorithm'> & { publicKey: Buffer; keyEncipherment: boolean },
  authority: Authority,
  context: IssueContext,
): Promise<string> {
  const library = await import('./x509-library.js');
  const flags = library.KeyUsageFlags;
  const authorityKeyId = authority.certificate.getExtension(library.SubjectKeyIdentifierExtension)?.keyId;
  const usages = flags.digitalSignature | (spec.keyEncipherment ? flags.keyEncipherment : 0);
  const extensions: Extension[] = [
    new library.KeyUsagesExtension(usages, true),
    new library.ExtendedKeyUsageExtension(spec.usages.map((usage) => library.ExtendedKeyUsage[usage])),
    new library.BasicConstraintsExtension(false, undefined, true),
  ];
  if (authorityKeyId) extensions.push(new library.AuthorityKeyIdentifierExtension(authorityKeyId));
  if (spec.sans.dns.length + spec.sans.ips.length > 0) extensions.push(sansExtension(library, spec.sans));
  const certificate = await library.X509CertificateGenerator.create({
    ...(await validity(spec, context, spec.notBefore === 'authority' ? authority : null)),
    serialNumber: serial(context),
    subject: subject(library, spec.commonName, spec.organizations),
    issuer: authority.certificate.subjectName,
    publicKey: spec.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: { name: authority.signingKey.algorithm.name, hash: authority.signingHash },
    extensions,
  });
  return toPem(new Uint8Array(certificate.rawData), 'CERTIFICATE');
}

/** The key as WebCrypto signs with it, and the hash that goes with it. Throws PKI for a curve that has none. */
export async function importSigningKey(
  key: KeyObject,
): Promise<{ signingKey: CryptoKey; signingHash: string }> {
  const curve = key.asymmetricKeyType === 'ec' ? (key.export({ format: 'jwk' }).crv ?? '') : null;
  const signingHash = curve === null ? 'SHA-256' : HASHES[curve];
  if (signingHash === undefined) {
    throw new KeelsonError('PKI', `can't sign with a key on the curve ${curve}`, {
      hint: 'use RSA, or ECDSA on P-256, P-384 or P-521',
    });
  }
  const algorithm =
    curve === null ? { name: 'RSASSA-PKCS1-v1_5', hash: signingHash } : { name: 'ECDSA', namedCurve: curve };
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  return { signingKey, signingHash };
}

async function validity(
  spec: Pick<AuthoritySpec, 'validityMs'>,
  context: IssueContext,
  startOf: Authority | null,
): Promise<{ notBefore: Date; notAfter: Date }> {
  const now = Math.floor(context.now.getTime() / 1000) * 1000;
  return {
    notBefore: startOf ? startOf.certificate.notBefore : new Date(now - BACKDATE_MS),
    notAfter: new Date(now + Math.floor(spec.validityMs / 1000) * 1000),
  };
}

/** 63 random bits, never 0, as hex: always positive, as kubeadm draws them. */
function serial(context: IssueContext): string {
  const draw = context.random ?? randomBytes;
  for (;;) {
    const bytes = Buffer.from(draw(8));
    bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
    if (bytes.some((byte) => byte !== 0)) return bytes.toString('hex');
  }
}

/** Object form with explicit string types: the library's parsing of strings drops characters. O before CN, as Go writes it. */
export function subject(library: Library, commonName: string, organizations: readonly string[]): Name {
  const text = (value: string) =>
    /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? { printableString: value } : { utf8String: value };
  return new library.Name([
    ...(organizations.length > 0 ? [{ O: organizations.map(text) }] : []),
    { CN: [text(commonName)] },
  ]);
}

export function sansExtension(library: Library, sans: Sans): Extension {
  return new library.SubjectAlternativeNameExtension([
    ...sans.dns.map((value) => ({ type: 'dns' as const, value })),
    ...sans.ips.map((value) => ({ type: 'ip' as const, value })),
  ]);
}

/** RFC 7093 method 1, which Go uses: the first 160 bits of the SHA-256 of the public key's bits. */
function keyIdentifier(publicKey: KeyObject): string {
  return createHash('sha256').update(publicKeyBits(publicKey)).digest('hex').slice(0, 40);
}
