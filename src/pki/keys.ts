import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { EncryptionAlgorithm } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

/** Makes a private key of the given algorithm. */
export type GenerateKey = (algorithm: EncryptionAlgorithm) => Promise<KeyObject>;

const generate = promisify(generateKeyPair);

/** A fresh private key, made in libuv's thread pool. */
export const generateKey: GenerateKey = async (algorithm) => {
  const [family, size = ''] = algorithm.split('-');
  const pair =
    family === 'RSA'
      ? await generate('rsa', { modulusLength: Number(size), publicExponent: 0x10001 })
      : await generate('ec', { namedCurve: size.replace('P', 'P-') });
  return pair.privateKey;
};

/** PEM as kubeadm writes it: `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC 1). */
export function privateKeyPem(key: KeyObject): string {
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
  return key.export({ type, format: 'pem' }).toString();
}

/** PEM of the public half: `PUBLIC KEY` (SubjectPublicKeyInfo). */
export function publicKeyPem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

/** An RSA or ECDSA private key from any unencrypted PEM form. Throws PKI naming `path`. */
export function parsePrivateKey(pem: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new KeelsonError('PKI', `${path} holds no readable private key`, {
      // OpenSSL's message is left out: the cause of a failed parse may quote what it parsed.
      hint: 'give an unencrypted PEM key (PKCS#1, SEC 1 or PKCS#8)',
      details: cause instanceof Error && 'code' in cause ? { code: cause.code } : undefined,
    });
  }
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') {
    throw new KeelsonError('PKI', `${path} holds a key of type ${key.asymmetricKeyType}`, {
      hint: 'use an RSA or ECDSA key',
    });
  }
  return key;
}

/** The public key's bits as they stand in a SubjectPublicKeyInfo: PKCS#1 for RSA, the uncompressed point for EC. */
export function publicKeyBits(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyType === 'rsa') return publicKey.export({ type: 'pkcs1', format: 'der' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}
