import { open, readFile } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Decryption, decrypted, type Encryption, encryption, isEncrypted } from './encryption.js';

async function* bytesOf(content: Buffer): AsyncGenerator<Buffer, void, void> {
  yield content;
}

async function collected(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * Writes a secret to a new file of the operator's, mode 0600, encrypted in memory, and reads it back from the disk.
 * @throws CONFLICT where the file is there already, USAGE for a wrong recipient, VERIFY where the disk has something else
 */
export async function writeSealed(path: string, content: Buffer, how: Encryption): Promise<void> {
  const sealed = await collected((await encryption(how))(bytesOf(content)));
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (cause) {
    throw new KeelsonError('CONFLICT', `${path} can’t be written, or is there already`, {
      cause,
      hint: 'choose another name',
    });
  }
  try {
    await file.writeFile(sealed);
    await file.sync();
  } finally {
    await file.close();
  }
  const kept = await readFile(path);
  const { passphrase } = how;
  const same =
    passphrase === undefined
      ? kept.equals(sealed)
      : (await collected(decrypted(bytesOf(kept), { identities: [], passphrase }, path))).equals(content);
  if (!same) throw new KeelsonError('VERIFY', `${path} does not hold what was written`);
}

/**
 * The secret in a file that `writeSealed` wrote.
 * @throws USAGE where the file can't be read, is not encrypted, or what was given does not fit; VERIFY for a damaged one
 */
export async function readSealed(path: string, how: () => Promise<Decryption>): Promise<Buffer> {
  let kept: Buffer;
  try {
    kept = await readFile(path);
  } catch (cause) {
    throw new KeelsonError('USAGE', `${path} can’t be read`, { cause, hint: 'name an encrypted file' });
  }
  if (!isEncrypted(kept)) throw new KeelsonError('USAGE', `${path} is no encrypted file`);
  return collected(decrypted(bytesOf(kept), await how(), path));
}
