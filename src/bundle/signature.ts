import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { z } from 'zod';
import { KeelsonError } from '../errors/keelson-error.js';

/** Name of the signature within a bundle. */
export const SIGNATURE_FILE = 'bundle.sig.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const signatureSchema = z.strictObject({
  formatVersion: z.literal(1),
  algorithm: z.literal('ed25519'),
  keyId: z.string(),
  lock: sha256,
  sbom: sha256,
  /** Base64 of 64 bytes. */
  signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});

/** The files that a signature covers, as bytes. The lock names everything else by its digest. */
export interface Signed {
  lock: Buffer;
  sbom: Buffer;
}

export interface KeyPair {
  /** PKCS#8 in PEM. */
  privateKey: string;
  /** SPKI in PEM. */
  publicKey: string;
  keyId: string;
}

/** A new Ed25519 key pair; with a passphrase the private key is encrypted (PKCS#8, AES-256-CBC). */
export function generateBundleKey(passphrase?: string): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem', ...encryption }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    keyId: keyIdOf(publicKey),
  };
}

/** `SHA256:…` of the public key in DER, as ssh shows its keys. */
function keyIdOf(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(der).digest('base64').replace(/=+$/, '')}`;
}

/** True where the PEM text is a private key that a passphrase protects. */
export function isEncryptedKey(pem: string): boolean {
  return pem.includes('BEGIN ENCRYPTED PRIVATE KEY');
}

/**
 * Content of `SIGNATURE_FILE`.
 * @param pem private key
 * @throws KeelsonError PKI for what is no Ed25519 private key, or a wrong passphrase
 */
export function signBundleFiles(signed: Signed, pem: string, passphrase?: string): Buffer {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    throw new KeelsonError('PKI', 'the private key can’t be read', {
      cause,
      hint: 'make one with `keelson bundle keygen`, and give its passphrase where it has one',
    });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new KeelsonError('PKI', `the private key is ${key.asymmetricKeyType}, not ed25519`, {
      hint: 'make one with `keelson bundle keygen`',
    });
  const message = messageOf(signed);
  return Buffer.from(
    `${JSON.stringify(
      {
        formatVersion: 1,
        algorithm: 'ed25519',
        keyId: keyIdOf(createPublicKey(key)),
        lock: digest(signed.lock),
        sbom: digest(signed.sbom),
        signature: sign(null, message, key).toString('base64'),
      },
      null,
      2,
    )}\n`,
  );
}

/**
 * Ed25519 public keys in PEM text, one or several: while a key is being replaced, both count.
 * @throws KeelsonError PKI where there is none
 */
export function publicKeys(pem: string, place: string): KeyObject[] {
  const blocks = pem.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? [];
  try {
    const keys = blocks.map((block) => createPublicKey(block));
    if (keys.length > 0 && keys.every((key) => key.asymmetricKeyType === 'ed25519')) return keys;
  } catch {
    // The same answer as for other text.
  }
  throw new KeelsonError('PKI', `${place}: holds no Ed25519 public key`, {
    hint: 'name the .pub file that `keelson bundle keygen` has written',
  });
}

/** True where a signature is about these very files; says nothing about who made it. */
export function isAbout(signature: Buffer, signed: Signed): boolean {
  const parsed = parse(signature);
  return parsed?.lock === digest(signed.lock) && parsed.sbom === digest(signed.sbom);
}

/**
 * Nothing, where one of the keys has signed these files.
 * @returns the id of that key
 * @throws KeelsonError BUNDLE: not signed, by another key, or changed since
 */
export function checkSignature(
  signed: Signed,
  signature: Buffer | null,
  keys: readonly KeyObject[],
  place: string,
): string {
  const wanted = keys.map(keyIdOf).join(' or ');
  const refuse = (problem: string, hint: string) =>
    new KeelsonError('BUNDLE', `${place}: ${problem}`, { hint });
  if (signature === null)
    throw refuse('is not signed', `sign it with \`keelson bundle sign\`; wanted is the key ${wanted}`);
  const parsed = parse(signature);
  if (parsed === null) throw refuse(`${SIGNATURE_FILE} is corrupt`, 'copy the bundle once more');
  const key = keys.find((candidate) => keyIdOf(candidate) === parsed.keyId);
  if (key === undefined)
    throw refuse(`is signed by ${parsed.keyId}, not by ${wanted}`, 'get the bundle from whom you trust');
  if (!verify(null, messageOf(signed), key, Buffer.from(parsed.signature, 'base64')))
    throw refuse(
      'has been changed since it was signed',
      'do not use it; get it once more from whom you trust',
    );
  return parsed.keyId;
}

function parse(signature: Buffer): z.infer<typeof signatureSchema> | null {
  try {
    return signatureSchema.parse(JSON.parse(signature.toString('utf8')));
  } catch {
    return null;
  }
}

function messageOf({ lock, sbom }: Signed): Buffer {
  return Buffer.from(`keelson bundle signature 1\nlock ${digest(lock)}\nsbom ${digest(sbom)}\n`);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
