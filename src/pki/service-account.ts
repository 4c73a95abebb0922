import { createHash, createPublicKey, sign } from 'node:crypto';
import { KeelsonError } from '../errors/keelson-error.js';
import { parsePrivateKey } from './keys.js';
import { pemBlocks } from './pem.js';

/** Public keys of one PEM after the other, each as it stands. */
export function publicKeyBundle(pems: readonly string[]): string {
  return pems.map((pem) => pemBlocks(pem, 'PUBLIC KEY')[0] ?? '').join('');
}

/** How Kubernetes names a key in the tokens that it signs: sha256 of its SubjectPublicKeyInfo, base64url. */
export function keyId(publicPem: string): string {
  const der = createPublicKey(publicPem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}

/** Name of the key that signed a token, and what the token says. @throws PKI for what is no token */
export function readToken(token: string): { keyId: string; claims: Record<string, unknown> } {
  try {
    const [header = '', claims = ''] = token.split('.');
    const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
    return { keyId: String(decoded(header).kid), claims: decoded(claims) };
  } catch {
    // The parser's message quotes the text.
    throw new KeelsonError('PKI', 'a service account’s token can’t be read');
  }
}

/** A token with these claims, signed with another key. Throws PKI where the key can't be read. */
export function signToken(
  claims: Record<string, unknown>,
  pair: { publicPem: string; privatePem: string },
): string {
  const key = parsePrivateKey(pair.privatePem, 'the key of service accounts');
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const alg = key.asymmetricKeyType === 'rsa' ? 'RS256' : (CURVES[curve ?? ''] ?? 'ES256');
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg, kid: keyId(pair.publicPem) })}.${part(claims)}`;
  const signature = sign(`sha${alg.slice(2)}`, Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' });
  return `${body}.${signature.toString('base64url')}`;
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
