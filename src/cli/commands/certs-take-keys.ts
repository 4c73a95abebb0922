import { KeelsonError } from '../../errors/keelson-error.js';
import { takeKeys } from '../../workflows/certs/authority-keys.js';
import { writeKeyFile } from '../../workflows/certs/key-file.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { requireAnswer } from '../confirmation.js';
import { ENCRYPT_OPTIONS, encryptionOf } from '../encryption-options.js';
import { outputFile } from '../output-path.js';

export const command = defineCommand({
  name: 'certs take-keys',
  summary: 'take the keys of CAs off the hosts, into an encrypted file',
  details: `Writes the file first, then removes ca.key of every authority from all hosts; controller managers sign no more, as with an
external CA of kubeadm's. Keep the file: with --ca-keys FILE keelson apply, join and certs renew sign with it. keelson
certs return-keys brings the keys back, as a rotation needs it.`,
  arguments: '<file>',
  options: {
    ...CLUSTER_OPTIONS,
    ...ENCRYPT_OPTIONS,
    yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
  },
  run: async ({ args, options, io, global }) => {
    requireAnswer(options, io, 'certs take-keys removes keys from hosts', 'give --yes');
    const config = await clusterConfig(options.config, io);
    const how = await encryptionOf(options, io);
    if (how === null) {
      throw new KeelsonError('USAGE', 'keys of authorities are written encrypted only', {
        hint: 'give --encrypt-to age1…, --passphrase or --passphrase-file FILE',
      });
    }
    const file = await outputFile(args[0] ?? '', io, { isNew: true });
    if (!options.yes && !(await io.confirm(`Take the CAs' keys off the hosts of ${config.name}?`)))
      throw new KeelsonError('ABORTED', 'nothing was changed');
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const moved = await takeKeys(session, {
          owner: ownerOf(),
          stop: io.stop,
          write: (keys) => writeKeyFile(file, config.name, keys, how),
        });
        const text = `The keys of ${moved.authorities.join(', ')} are in ${file}, and on no host any more. Without it nothing can be signed: keep it in more than one place.`;
        return { data: { cluster: config.name, file, ...moved }, text };
      },
      { config },
    );
  },
});
