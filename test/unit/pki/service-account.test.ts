import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generateKey, privateKeyPem, publicKeyPem } from '../../../src/pki/keys.js';
import { keyId, publicKeyBundle, readToken, signToken } from '../../../src/pki/service-account.js';

async function pair(algorithm: 'RSA-2048' | 'ECDSA-P256' | 'ECDSA-P384') {
  const key = await generateKey(algorithm);
  return { publicPem: publicKeyPem(createPublicKey(key)), privatePem: privateKeyPem(key) };
}

describe('a service account’s token', () => {
  it.each(['RSA-2048', 'ECDSA-P256', 'ECDSA-P384'] as const)(
    'is signed with a key of %s',
    async (algorithm) => {
      const own = await pair(algorithm);
      const token = signToken({ sub: 'system:serviceaccount:default:default' }, own);
      const { claims, keyId: id } = readToken(token);
      expect(claims).toEqual({ sub: 'system:serviceaccount:default:default' });
      expect(id).toBe(keyId(own.publicPem));
      const [header = '', body = '', signature = ''] = token.split('.');
      const alg = (JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg: string }).alg;
      const key = { key: own.publicPem, dsaEncoding: 'ieee-p1363' } as const;
      const good = verify(
        `sha${alg.slice(2)}`,
        Buffer.from(`${header}.${body}`),
        key,
        Buffer.from(signature, 'base64url'),
      );
      expect(good).toBe(true);
    },
  );

  it('is refused without its content where it can’t be read', () => {
    expect(() => readToken('secret.secret.secret')).toThrow(/can’t be read/);
    expect(() => readToken('secret.secret.secret')).not.toThrow(/secret/);
  });
});

describe('public keys of service accounts', () => {
  it('are bundled one after the other', async () => {
    const [one, two] = [await pair('ECDSA-P256'), await pair('ECDSA-P256')];
    const bundle = publicKeyBundle([`${one.publicPem}\n# text\n`, two.publicPem]);
    expect(bundle).toBe(one.publicPem + two.publicPem);
    expect(keyId(bundle)).toBe(keyId(one.publicPem));
  });

  it('have the name that Kubernetes gives them, whatever their form', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(keyId(publicKeyPem(publicKey))).toMatch(/^[\w-]{43}$/);
  });
});
