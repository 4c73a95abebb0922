import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSealed } from '../../backup/sealed.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { authorityRequest, REQUESTABLE } from '../../workflows/certs/authority-request.js';
import { CLUSTER_OPTIONS, clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { ENCRYPT_OPTIONS, encryptionOf } from '../encryption-options.js';
import { outputDirectory, outputFile } from '../output-path.js';

export const command = defineCommand({
  name: 'certs request-authority',
  summary: 'a new key and a request, to have a CA signed by your organisation’s root',
  details: `What: ${Object.keys(REQUESTABLE).join(', ')}. Writes ca.csr and ca.key.age, the key encrypted, into a folder, and asks no host. Put the
certificate there as ca.crt, with those above it up to the root behind it or in chain.crt; then keelson certs rotate
WHAT --authority FOLDER checks the chain and makes it the cluster's CA.`,
  arguments: '<what>',
  options: {
    config: CLUSTER_OPTIONS.config,
    out: { flags: '--out <folder>', description: 'where both are written', kind: 'string' },
    ...ENCRYPT_OPTIONS,
  },
  run: async ({ args, options, io }) => {
    const [what = ''] = args;
    if (options.out === undefined)
      throw new KeelsonError('USAGE', 'no folder was named', { hint: 'give --out FOLDER' });
    const config = await clusterConfig(options.config, io);
    const how = await encryptionOf(options, io);
    if (how === null) {
      throw new KeelsonError('USAGE', 'the key of an authority is written encrypted only', {
        hint: 'give --encrypt-to age1…, --passphrase or --passphrase-file FILE',
      });
    }
    const folder = await outputDirectory(options.out, io);
    const { csrPem, keyPem } = await authorityRequest(config, what);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const csr = await outputFile(join(folder, 'ca.csr'), io, { isNew: true });
    const key = await outputFile(join(folder, 'ca.key.age'), io, { isNew: true });
    await writeSealed(key, Buffer.from(keyPem), how);
    await writeFile(csr, csrPem);
    const text = `${csr} is to be signed, as an authority that may sign (CA:TRUE). Put the certificate beside it as ca.crt, those above it behind it; then: keelson certs rotate ${what} --authority ${options.out}`;
    return { data: { cluster: config.name, what, csr, key }, text };
  },
});
