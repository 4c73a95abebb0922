import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import ssh2 from 'ssh2';
import { KeelsonError } from '../errors/keelson-error.js';

/** A private key in a form that ssh2 takes, ready to sign. */
export interface Identity {
  file: string;
  key: ssh2.ParsedKey;
}

export type AskPassphrase = (file: string) => Promise<string>;

/**
 * Loads a private key: OpenSSH format, PEM (PKCS#1, SEC1) and PKCS#8, each also encrypted.
 * Errors: CONFIG for a file that is unreadable, open to others (as ssh refuses it) or no key;
 * AUTHENTICATION for a passphrase that is wrong or can't be asked for.
 */
export async function loadIdentity(file: string, passphrase?: AskPassphrase): Promise<Identity> {
  const text = await readKeyFile(file);
  return { file, key: await parseIdentity(text, file, passphrase) };
}

/** True where using this key means asking for a passphrase. */
export function isEncrypted(text: string): boolean {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(text)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  // openssh-key-v1\0, then the cipher's name as a length-prefixed string.
  const blob = Buffer.from(body, 'base64');
  return blob.length > 23 && blob.toString('latin1', 19, 23) !== 'none';
}

/** The text of a key file, after the checks that ssh makes of it. */
export async function readKeyFile(file: string): Promise<string> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) {
      throw new KeelsonError('CONFIG', `${file} can be read by others (mode ${(mode & 0o777).toString(8)})`, {
        hint: `run \`chmod 600 ${file}\``,
      });
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof KeelsonError) throw error;
    throw new KeelsonError('CONFIG', `cannot read the private key ${file}`, {
      cause: error,
      hint: 'check ssh.identityFile and the permissions of the file',
    });
  }
}

/** Parses the text of a private key; see `loadIdentity` for formats and errors. */
export async function parseIdentity(
  text: string,
  file: string,
  passphrase?: AskPassphrase,
): Promise<ssh2.ParsedKey> {
  const secret = isEncrypted(text) ? await ask(file, passphrase) : undefined;
  const parsed = /-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(text)
    ? parsePkcs8(text, file, secret)
    : ssh2.utils.parseKey(text.trim(), secret);
  if (parsed instanceof Error) throw unusable(file, secret !== undefined, parsed);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || !key.isPrivateKey()) throw unusable(file, false, undefined);
  return key;
}

async function ask(file: string, passphrase: AskPassphrase | undefined): Promise<string> {
  if (passphrase === undefined) {
    throw new KeelsonError('AUTHENTICATION', `the private key ${file} is encrypted and nobody can be asked`, {
      hint: `run \`ssh-add ${file}\` first, so that the agent signs, or run from a terminal`,
    });
  }
  return passphrase(file);
}

function unusable(file: string, encrypted: boolean, cause: unknown): KeelsonError {
  if (encrypted) {
    return new KeelsonError('AUTHENTICATION', `wrong passphrase for ${file}`, {
      cause,
      hint: `check it with \`ssh-keygen -y -f ${file}\``,
    });
  }
  return new KeelsonError('CONFIG', `${file} is not a private key that can be used`, {
    cause,
    hint: 'give a private key in OpenSSH, PEM or PKCS#8 format (ed25519, ECDSA or RSA)',
  });
}

function parsePkcs8(text: string, file: string, secret: string | undefined): ssh2.ParsedKey | Error {
  let key: KeyObject;
  try {
    key = createPrivateKey({
      key: text,
      format: 'pem',
      ...(secret === undefined ? {} : { passphrase: secret }),
    });
  } catch (error) {
    throw unusable(file, secret !== undefined, error);
  }
  const parsed = ssh2.utils.parseKey(toSshFormat(key, file));
  return Array.isArray(parsed) ? (parsed[0] ?? new Error('no key')) : parsed;
}

function toSshFormat(key: KeyObject, file: string): string {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return key.export({ type: 'pkcs1', format: 'pem' }).toString().trim();
    case 'ec':
      return key.export({ type: 'sec1', format: 'pem' }).toString().trim();
    case 'ed25519':
      return ed25519ToOpenSsh(key);
    default:
      throw unusable(file, false, new Error(`key type ${key.asymmetricKeyType ?? 'unknown'}`));
  }
}

/** Ed25519 has no PEM format of its own: written as an unencrypted openssh-key-v1 (PROTOCOL.key of OpenSSH). */
function ed25519ToOpenSsh(key: KeyObject): string {
  const jwk = key.export({ format: 'jwk' });
  const seed = Buffer.from(jwk.d ?? '', 'base64url');
  const point = Buffer.from(jwk.x ?? '', 'base64url');
  const name = sshString(Buffer.from('ssh-ed25519'));
  const check = Buffer.alloc(8);
  let secret = Buffer.concat([
    check,
    name,
    sshString(point),
    sshString(Buffer.concat([seed, point])),
    sshString(),
  ]);
  const padding = (8 - (secret.length % 8)) % 8;
  secret = Buffer.concat([secret, Buffer.from(Array.from({ length: padding }, (_, index) => index + 1))]);
  const none = sshString(Buffer.from('none'));
  const count = Buffer.from([0, 0, 0, 1]);
  const blob = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    none,
    none,
    sshString(),
    count,
    sshString(Buffer.concat([name, sshString(point)])),
    sshString(secret),
  ]);
  const lines = blob.toString('base64').replace(/(.{70})(?=.)/g, '$1\n');
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----`;
}

function sshString(bytes: Buffer = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
