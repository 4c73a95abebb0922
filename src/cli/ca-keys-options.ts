import { resolve } from 'node:path';
import type { AuthorityKey } from '../phases/trust-store.js';
import type { CliIO } from './command.js';
import { DECRYPT_OPTIONS, decryptionOf } from './encryption-options.js';

/** Options of commands that may have to sign for a cluster whose authorities' keys are kept off its hosts. */
export const CA_KEYS_OPTIONS = {
  caKeys: {
    flags: '--ca-keys <file>',
    description: 'what keelson certs take-keys wrote: keys of authorities that the hosts do not have',
    kind: 'string',
  },
  ...DECRYPT_OPTIONS,
} as const;

interface CaKeysValues {
  caKeys: string | undefined;
  identity: string | undefined;
  passphraseFile: string | undefined;
}

/** The keys for a session, in memory only; nothing where no file was named. @throws USAGE, VERIFY */
export async function caKeysOf(
  values: CaKeysValues,
  cluster: string,
  io: CliIO,
): Promise<{ authorityKeys?: readonly AuthorityKey[] }> {
  if (values.caKeys === undefined) return {};
  const { readKeyFile } = await import('../workflows/certs/key-file.js');
  const file = resolve(io.cwd, values.caKeys);
  return { authorityKeys: await readKeyFile(file, cluster, () => decryptionOf(values, io)) };
}
