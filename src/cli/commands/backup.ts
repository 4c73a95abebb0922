import { resolve } from 'node:path';
import { readClusterFile } from '../../config/load.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes, duration } from '../../report/table.js';
import { backupCluster } from '../../workflows/backup.js';
import { CLUSTER_OPTIONS, clusterConfig, onControlPlanes, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { ENCRYPT_OPTIONS, encryptionOf } from '../encryption-options.js';
import { outputFile } from '../output-path.js';

export const command = defineCommand({
  name: 'backup',
  summary: 'all that it takes to bring the cluster back, in one encrypted file',
  details: `A verified snapshot of etcd, the authorities and service-account keys, the cluster file, kubeadm's ConfigMaps, and
the key that the API server encrypts Secrets with. Whoever can read it owns the cluster, so it is always encrypted, in
the format of age, and never on a disk otherwise. age --decrypt FILE | tar -x opens it without keelson.`,
  options: {
    ...CLUSTER_OPTIONS,
    out: { flags: '--out <file>', description: 'the file to write; it must not exist', kind: 'string' },
    ...ENCRYPT_OPTIONS,
  },
  run: async ({ options, io, global }) => {
    if (options.out === undefined)
      throw new KeelsonError('USAGE', 'no file was named', { hint: 'say --out FILE' });
    const file = await outputFile(options.out, io, { makesFolder: true, isNew: true });
    const encryption = await encryptionOf(options, io);
    if (encryption === null) {
      throw new KeelsonError('USAGE', 'a backup holds the keys of the cluster, so it has to be encrypted', {
        hint: 'give --encrypt-to age1… (age-keygen makes a key), --passphrase or --passphrase-file FILE',
      });
    }
    const config = await clusterConfig(options.config, io);
    const clusterFile = await readClusterFile(resolve(io.cwd, options.config));
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await backupCluster(session, { file, encryption, clusterFile });
        const text = [
          result.file,
          `${bytes(result.sizeBytes)}: etcd of ${result.cluster} at revision ${result.revision} or later, from ${result.member}, and ${result.files.length} files, in ${duration(result.durationMs)}.`,
          'Check it with keelson backup verify; keep its key elsewhere.',
          '',
        ].join('\n');
        return { data: result, text };
      },
      onControlPlanes(config),
    );
  },
});
