import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KeelsonError } from '../errors/keelson-error.js';

/** Bytes of a certificate key (AES-256), nonce and tag of GCM, as kubeadm has them. */
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** A fresh certificate key, 64 hexadecimal digits. A secret. */
export function generateCertificateKey(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}

/** A certificate key as bytes. Throws USAGE without quoting it. */
export function parseCertificateKey(text: string): Buffer {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw new KeelsonError('USAGE', 'the certificate key is malformed', {
      hint: `a certificate key is ${KEY_BYTES} bytes, written as ${KEY_BYTES * 2} hexadecimal digits`,
    });
  }
  return Buffer.from(text, 'hex');
}

/** Nonce, ciphertext and tag in one piece, as `kubeadm join` takes them out of the Secret kubeadm-certs. */
export function encryptWithKey(
  content: Buffer,
  key: Buffer,
  nonce: Buffer = randomBytes(NONCE_BYTES),
): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce);
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

/** What `encryptWithKey` was given; null where the key is another or the bytes were altered. */
export function decryptWithKey(sealed: Buffer, key: Buffer): Buffer | null {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const text = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    return Buffer.concat([text, decipher.final()]);
  } catch {
    return null;
  }
}
