import { createVerify, X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { KeelsonError } from '../../errors/keelson-error.js';

/** Who has signed, as a certificate of Sigstore's CA names it. */
interface Signer {
  /** E-mail address of the account. */
  identity: string;
  /** Who has vouched for it to the CA. */
  issuer: string;
}

/** Who signs what Kubernetes releases: https://kubernetes.io/docs/tasks/administer-cluster/verify-signed-artifacts */
const KUBERNETES: Signer = {
  identity: 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
  issuer: 'https://accounts.google.com',
};

/**
 * The intermediate CA of Sigstore's public instance (fulcio.sigstore.dev) since April 2022, out of its published
 * trust root; valid until October 2031.
 */
export const SIGSTORE_CA = `-----BEGIN CERTIFICATE-----
MIICGjCCAaGgAwIBAgIUALnViVfnU0brJasmRkHrn/UnfaQwCgYIKoZIzj0EAwMw
KjEVMBMGA1UEChMMc2lnc3RvcmUuZGV2MREwDwYDVQQDEwhzaWdzdG9yZTAeFw0y
MjA0MTMyMDA2MTVaFw0zMTEwMDUxMzU2NThaMDcxFTATBgNVBAoTDHNpZ3N0b3Jl
LmRldjEeMBwGA1UEAxMVc2lnc3RvcmUtaW50ZXJtZWRpYXRlMHYwEAYHKoZIzj0C
AQYFK4EEACIDYgAE8RVS/ysH+NOvuDZyPIZtilgUF9NlarYpAd9HP1vBBH1U5CV7
7LSS7s0ZiH4nE7Hv7ptS6LvvR/STk798LVgMzLlJ4HeIfF3tHSaexLcYpSASr1kS
0N/RgBJz/9jWCiXno3sweTAOBgNVHQ8BAf8EBAMCAQYwEwYDVR0lBAwwCgYIKwYB
BQUHAwMwEgYDVR0TAQH/BAgwBgEB/wIBADAdBgNVHQ4EFgQU39Ppz1YkEZb5qNjp
KFWixi4YZD8wHwYDVR0jBBgwFoAUWMAeX5FFpWapesyQoZMi0CrFxfowCgYIKoZI
zj0EAwMDZwAwZAIwPCsQK4DYiZYDPIaDi5HFKnfxXx6ASSVmERfsynYBiX2X6SJR
nZU84/9DZdnFvvxmAjBOt6QpBlc4J/0DxvkTCqpclvziL6BCCPnjdlIB3Pu3BxsP
mygUY7Ii2zbdCdliiow=
-----END CERTIFICATE-----
`;

/** The extended key usage codeSigning. */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
/** Sigstore's extension with the issuer of the identity, as plain text. */
const ISSUER_EXTENSION = '1.3.6.1.4.1.57264.1.1';

/** Signature and certificate as they are published: base64, the certificate of its PEM. */
export interface PublishedSignature {
  signature: string;
  certificate: string;
}

/**
 * Nothing, where a file is signed by who signs Kubernetes' releases, with a certificate of one of these authorities.
 * The certificate was good for some minutes once; whether the file was signed then is in Sigstore's public log, which
 * is not asked.
 * @param authorities PEM, one certificate each
 * @throws KeelsonError BUNDLE saying what is wrong with the signature
 */
export async function checkReleaseSignature(
  file: string,
  name: string,
  { signature, certificate }: PublishedSignature,
  {
    authorities = [SIGSTORE_CA],
    signer = KUBERNETES,
  }: { authorities?: readonly string[]; signer?: Signer } = {},
): Promise<void> {
  const refuse = (
    problem: string,
    hint = 'the server gives something else than was released: name another',
  ) => new KeelsonError('BUNDLE', `${name}: ${problem}`, { hint });
  const leaf = certificateOf(certificate);
  if (leaf === null) throw refuse('what is published as the certificate of its signature is none');
  const issued = authorities
    .map((pem) => new X509Certificate(pem))
    .some((ca) => leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && isWithin(leaf, ca));
  if (!issued)
    throw refuse(
      'its signature’s certificate is of an unknown authority',
      'name the authority with --signature-ca',
    );
  if (!leaf.keyUsage?.includes(CODE_SIGNING)) throw refuse('its signature’s certificate is not for signing');
  const issuer = await issuerOf(leaf);
  if (leaf.subjectAltName !== `email:${signer.identity}` || issuer !== signer.issuer)
    throw refuse(`is signed by ${leaf.subjectAltName ?? 'nobody'} (${issuer ?? 'of no issuer'})`);
  const verify = createVerify('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    verify.update(chunk as Buffer);
  if (!verify.verify(leaf.publicKey, Buffer.from(signature, 'base64')))
    throw refuse('is not what was signed');
}

function certificateOf(text: string): X509Certificate | null {
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('latin1');
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

/** Whether a certificate was given out while its authority's own was valid. */
function isWithin(leaf: X509Certificate, ca: X509Certificate): boolean {
  const given = Date.parse(leaf.validFrom);
  return Date.parse(ca.validFrom) <= given && given <= Date.parse(ca.validTo);
}

async function issuerOf(leaf: X509Certificate): Promise<string | null> {
  // Loaded late: it takes a quarter of a second.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const extension = new x509.X509Certificate(leaf.raw).getExtension(ISSUER_EXTENSION);
  return extension === null ? null : Buffer.from(extension.value).toString('utf8');
}
