import { resolve } from 'node:path';
import { type Decryption, type Encryption, encryption } from '../backup/encryption.js';
import { readText } from '../config/read-text.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { CliIO } from './command.js';

/** Options of commands that write a file which may be encrypted. */
export const ENCRYPT_OPTIONS = {
  encryptTo: {
    flags: '--encrypt-to <recipients>',
    description: 'encrypt it to these recipients of age (age1…)',
    kind: 'list',
  },
  passphrase: {
    flags: '--passphrase',
    description: 'encrypt it with a passphrase, which is asked for',
    kind: 'boolean',
  },
  passphraseFile: {
    flags: '--passphrase-file <file>',
    description: 'encrypt it with the first line of this file',
    kind: 'string',
  },
} as const;

/** Options of commands that read a file which may be encrypted. */
export const DECRYPT_OPTIONS = {
  identity: {
    flags: '--identity <file>',
    description: 'file with the secret key to an encrypted file, as age-keygen writes it',
    kind: 'string',
  },
  passphraseFile: {
    flags: '--passphrase-file <file>',
    description: 'file whose first line is the passphrase of an encrypted file (default: it is asked for)',
    kind: 'string',
  },
} as const;

const MOST_KEY_BYTES = 1024 * 1024;
const FILE_INSTEAD = 'give --passphrase-file FILE';

interface EncryptValues {
  encryptTo: string[];
  passphrase: boolean;
  passphraseFile: string | undefined;
}

/**
 * What a file is to be encrypted with; null where nothing was said.
 * @throws USAGE for a passphrase that was mistyped and a recipient that is none, CONFIG for a file that can't be read
 */
export async function encryptionOf(values: EncryptValues, io: CliIO): Promise<Encryption | null> {
  const chosen = await chosenEncryption(values, io);
  // Made ready once here, so that a wrong recipient is told before hosts are asked for anything.
  if (chosen !== null) await encryption(chosen);
  return chosen;
}

async function chosenEncryption(values: EncryptValues, io: CliIO): Promise<Encryption | null> {
  const { encryptTo: recipients, passphrase, passphraseFile } = values;
  if (passphraseFile !== undefined) return { recipients, passphrase: await firstLine(passphraseFile, io) };
  if (!passphrase) return recipients.length === 0 ? null : { recipients };
  const first = await io.askSecret('passphrase for the file', FILE_INSTEAD);
  if (first !== (await io.askSecret('the same once more', FILE_INSTEAD)))
    throw new KeelsonError('USAGE', 'the two passphrases differ', { hint: 'run it again' });
  return { recipients, passphrase: first };
}

/** What an encrypted file is decrypted with: an identity file, a passphrase file, or what is typed. */
export async function decryptionOf(
  { identity, passphraseFile }: { identity: string | undefined; passphraseFile: string | undefined },
  io: CliIO,
): Promise<Decryption> {
  if (identity !== undefined) {
    const text = await read(identity, io);
    const identities = text.split('\n').map((line) => line.trim());
    return { identities: identities.filter((line) => line !== '' && !line.startsWith('#')) };
  }
  if (passphraseFile !== undefined)
    return { identities: [], passphrase: await firstLine(passphraseFile, io) };
  if (!io.terminal) {
    throw new KeelsonError('USAGE', 'the file is encrypted, and there is nothing to decrypt it with', {
      hint: 'give --identity FILE or --passphrase-file FILE',
    });
  }
  return { identities: [], passphrase: await io.askSecret('passphrase of the file', FILE_INSTEAD) };
}

async function firstLine(file: string, io: CliIO): Promise<string> {
  const [line = ''] = (await read(file, io)).split('\n');
  if (line.trim() === '')
    throw new KeelsonError('CONFIG', `${file} begins with an empty line`, {
      hint: 'its first line is taken for the passphrase',
    });
  return line.replace(/\r$/, '');
}

async function read(file: string, io: CliIO): Promise<string> {
  return readText(resolve(io.cwd, file), MOST_KEY_BYTES, {
    code: 'CONFIG',
    hint: 'name a file that holds it',
  });
}
