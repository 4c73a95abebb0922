import { KeelsonError } from '../../errors/keelson-error.js';
import { returnKeys } from '../../workflows/certs/authority-keys.js';
import { CA_KEYS_OPTIONS, caKeysOf } from '../ca-keys-options.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { requireAnswer } from '../confirmation.js';

const { caKeys: _named, ...HOW } = CA_KEYS_OPTIONS;

export const command = defineCommand({
  name: 'certs return-keys',
  summary: 'bring the keys of CAs back onto the hosts',
  details: 'From a file of keelson certs take-keys. Controller managers sign again.',
  arguments: '<file>',
  options: {
    ...CLUSTER_OPTIONS,
    ...HOW,
    yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
  },
  run: async ({ args, options, io, global }) => {
    requireAnswer(options, io, 'certs return-keys puts keys onto hosts', 'give --yes');
    const config = await clusterConfig(options.config, io);
    const { authorityKeys: keys = [] } = await caKeysOf(
      { ...options, caKeys: args[0] ?? '' },
      config.name,
      io,
    );
    if (!options.yes && !(await io.confirm(`Bring the CAs' keys back onto the hosts of ${config.name}?`)))
      throw new KeelsonError('ABORTED', 'nothing was changed');
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const moved = await returnKeys(session, { keys, owner: ownerOf(), stop: io.stop });
        const text = `The keys of ${moved.authorities.join(', ')} are on ${moved.hosts.join(', ')} again.`;
        return { data: { cluster: config.name, ...moved }, text };
      },
      { config },
    );
  },
});
