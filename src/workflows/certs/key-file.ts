import type { Decryption, Encryption } from '../../backup/encryption.js';
import { readSealed, writeSealed } from '../../backup/sealed.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { AuthorityKey } from '../../phases/trust-store.js';

interface KeyFile {
  formatVersion: 1;
  cluster: string;
  authorities: readonly (AuthorityKey & { name: string })[];
}

/** Writes keys of authorities into a new encrypted file. @throws as `writeSealed` */
export function writeKeyFile(
  path: string,
  cluster: string,
  authorities: KeyFile['authorities'],
  how: Encryption,
): Promise<void> {
  const file: KeyFile = { formatVersion: 1, cluster, authorities };
  return writeSealed(path, Buffer.from(JSON.stringify(file)), how);
}

/**
 * The keys in a file of `writeKeyFile`.
 * @throws USAGE for a file of something else or of another cluster, and as `readSealed`
 */
export async function readKeyFile(
  path: string,
  cluster: string,
  how: () => Promise<Decryption>,
): Promise<KeyFile['authorities']> {
  const text = (await readSealed(path, how)).toString();
  let file: KeyFile | null;
  try {
    file = JSON.parse(text) as KeyFile;
  } catch {
    file = null;
  }
  if (file?.formatVersion !== 1 || !Array.isArray(file.authorities))
    throw new KeelsonError('USAGE', `${path} holds no keys of authorities`, {
      hint: 'name a file that keelson certs take-keys wrote',
    });
  if (file.cluster !== cluster)
    throw new KeelsonError('USAGE', `${path} is of the cluster ${file.cluster}, not of ${cluster}`);
  return file.authorities;
}
