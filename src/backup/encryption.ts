import { ReadableStream } from 'node:stream/web';
import { KeelsonError } from '../errors/keelson-error.js';

/** For whom a file is encrypted, in the age format (age-encryption.org/v1). A passphrase excludes recipients. */
export interface Encryption {
  /** `age1…` */
  recipients: readonly string[];
  passphrase?: string;
}

/** What a file is decrypted with. */
export interface Decryption {
  /** `AGE-SECRET-KEY-1…` */
  identities: readonly string[];
  passphrase?: string;
}

/** How every file in the age format begins. */
const AGE_HEADER = 'age-encryption.org/v1\n';

type Bytes = AsyncIterable<Buffer>;

/** Whether a file with these first bytes is encrypted. */
export function isEncrypted(head: Buffer): boolean {
  return head.subarray(0, AGE_HEADER.length).toString('latin1') === AGE_HEADER;
}

/**
 * Readies an encryption, so that what is wrong with it is told before anything is fetched.
 * @throws USAGE for a malformed recipient, or where there is none
 */
export async function encryption({ recipients, passphrase }: Encryption): Promise<(plain: Bytes) => Bytes> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  if (passphrase !== undefined && recipients.length > 0) {
    throw new KeelsonError('USAGE', 'a file is encrypted either with a passphrase or to recipients');
  }
  if (passphrase === '' || (passphrase === undefined && recipients.length === 0)) {
    throw new KeelsonError('USAGE', 'there is nothing to encrypt with', {
      hint: 'name a recipient (age1…, as age-keygen prints it) or give a passphrase',
    });
  }
  if (passphrase !== undefined) encrypter.setPassphrase(passphrase);
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      // An identity given by mistake is a secret, so nothing of it is shown.
      const shown = recipient.startsWith('age1') ? recipient : 'what was given';
      throw new KeelsonError('USAGE', `${shown} is no recipient of age`, {
        cause,
        hint: 'a recipient begins with age1; age-keygen makes one, and the secret key to it',
      });
    }
  }
  return (plain) => encrypted(encrypter.encrypt(ReadableStream.from(plain) as never));
}

async function* encrypted(
  stream: Promise<AsyncIterable<Uint8Array> | unknown>,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of (await stream) as AsyncIterable<Uint8Array>) yield Buffer.from(chunk);
}

/**
 * The plain bytes of an encrypted file, as they are decrypted; every 64 KiB is authenticated before it is given out.
 * @throws USAGE for a key or passphrase that does not fit, VERIFY for a damaged file
 */
export async function* decrypted(
  bytes: Bytes,
  { identities, passphrase }: Decryption,
  name: string,
): AsyncGenerator<Buffer, void, void> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  if (passphrase !== undefined) decrypter.addPassphrase(passphrase);
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity);
    } catch (cause) {
      throw new KeelsonError('USAGE', 'the identity file holds no secret key of age', {
        cause,
        hint: 'a secret key begins with AGE-SECRET-KEY-1',
      });
    }
  }
  let stream: AsyncIterable<Uint8Array>;
  try {
    const plain = await decrypter.decrypt(ReadableStream.from(bytes) as never);
    stream = plain as unknown as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new KeelsonError('USAGE', `${name} can't be decrypted with what was given`, {
      cause,
      hint: 'give the secret key of one of its recipients with --identity, or its passphrase',
    });
  }
  try {
    for await (const chunk of stream) yield Buffer.from(chunk);
  } catch (cause) {
    if (cause instanceof KeelsonError) throw cause;
    throw new KeelsonError('VERIFY', `${name} is damaged: it can't be decrypted to its end`, { cause });
  }
}
