import { createHash, webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkReleaseSignature, SIGSTORE_CA } from '../../../../src/bundle/upstream/release-signature.js';
import * as x509 from '../../../../src/pki/x509-library.js';
import { scratch } from '../fixture.js';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const IDENTITY = 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com';
const ISSUER = 'https://accounts.google.com';
const MINUTE = 60_000;
const CONTENT = Buffer.from('a kubelet');

const keys = () => webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);

interface Ca {
  certificate: x509.X509Certificate;
  key: webcrypto.CryptoKey;
}

async function authority(): Promise<Ca> {
  const pair = await keys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ['sigstore.test'] }, { CN: ['intermediate'] }],
    keys: pair,
    signingAlgorithm: EC,
    notBefore: new Date('2022-01-01'),
    notAfter: new Date('2040-01-01'),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return { certificate, key: pair.privateKey };
}

interface Claims {
  identity?: string;
  issuer?: string;
  usage?: x509.ExtendedKeyUsage;
  notBefore?: Date;
}

/** Signature and certificate as cosign publishes them; the certificate was good for ten minutes, years ago. */
async function published(ca: Ca, content: Buffer, claims: Claims = {}) {
  const pair = await keys();
  const notBefore = claims.notBefore ?? new Date('2024-05-01');
  const certificate = await x509.X509CertificateGenerator.create({
    subject: '',
    issuer: ca.certificate.subjectName,
    publicKey: pair.publicKey,
    signingKey: ca.key,
    signingAlgorithm: EC,
    notBefore,
    notAfter: new Date(notBefore.getTime() + 10 * MINUTE),
    extensions: [
      new x509.ExtendedKeyUsageExtension([claims.usage ?? x509.ExtendedKeyUsage.codeSigning]),
      new x509.SubjectAlternativeNameExtension([{ type: 'email', value: claims.identity ?? IDENTITY }], true),
      new x509.Extension('1.3.6.1.4.1.57264.1.1', false, Buffer.from(claims.issuer ?? ISSUER)),
    ],
  });
  const raw = Buffer.from(await webcrypto.subtle.sign(EC, pair.privateKey, content));
  return {
    signature: derSignature(raw).toString('base64'),
    certificate: Buffer.from(`${certificate.toString('pem')}\n`).toString('base64'),
  };
}

/** WebCrypto gives r and s one behind the other, cosign an ASN.1 sequence of both. */
function derSignature(raw: Buffer): Buffer {
  const integer = (bytes: Buffer) => {
    let at = 0;
    while (at < bytes.length - 1 && bytes[at] === 0) at += 1;
    const short = bytes.subarray(at);
    const positive = ((short[0] ?? 0) & 0x80) === 0 ? short : Buffer.concat([Buffer.from([0]), short]);
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  };
  const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, both.length]), both]);
}

describe('the signature of a release', () => {
  let ca: Ca;
  let authorities: string[];
  beforeAll(async () => {
    ca = await authority();
    authorities = [ca.certificate.toString('pem')];
  });

  const check = async (signature: { signature: string; certificate: string }, content = CONTENT) => {
    const file = join(await scratch(), createHash('sha256').update(content).digest('hex'));
    await writeFile(file, content);
    return checkReleaseSignature(file, 'kubelet', signature, { authorities });
  };
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: 'BUNDLE', message: expect.stringMatching(message) });

  it('is good long after its certificate has expired, in base64 and as PEM', async () => {
    const good = await published(ca, CONTENT);
    await check(good);
    await check({ ...good, certificate: Buffer.from(good.certificate, 'base64').toString() });
  });

  it.each([
    ['another account', { identity: 'somebody@example.org' }, /is signed by email:somebody@example\.org/],
    [
      'another issuer',
      { issuer: 'https://github.com/login/oauth' },
      /\(https:\/\/github\.com\/login\/oauth\)/,
    ],
    ['a certificate for servers', { usage: x509.ExtendedKeyUsage.serverAuth }, /is not for signing/],
    ['a certificate older than its authority', { notBefore: new Date('2021-01-01') }, /unknown authority/],
  ] as [string, Claims, RegExp][])('by %s is refused', async (_what, claims, message) => {
    await expect(published(ca, CONTENT, claims).then((one) => check(one))).rejects.toEqual(refused(message));
  });

  it('is refused for other content, of another authority, and where it is none', async () => {
    const good = await published(ca, CONTENT);
    await expect(check(good, Buffer.from('another kubelet'))).rejects.toEqual(
      refused(/is not what was signed/),
    );
    const other = await published(await authority(), CONTENT);
    await expect(check(other)).rejects.toEqual(refused(/unknown authority/));
    await expect(check({ ...good, signature: 'AAAA' })).rejects.toEqual(refused(/is not what was signed/));
    await expect(check({ ...good, certificate: 'nothing' })).rejects.toEqual(refused(/is none/));
  });

  it('has Sigstore’s intermediate as its authority', () => {
    const { subject, notAfter } = new x509.X509Certificate(SIGSTORE_CA);
    expect(subject).toContain('sigstore-intermediate');
    expect(notAfter.getUTCFullYear()).toBe(2031);
  });
});
