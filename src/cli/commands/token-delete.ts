import { deleteTokens, tokenIds } from '../../workflows/token.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'token delete',
  summary: 'delete bootstrap tokens',
  details: 'A token is named by its id, the six characters before the full stop, or as a whole.',
  arguments: '<ids...>',
  options: CLUSTER_OPTIONS,
  run: async ({ args, options, io, global }) => {
    const wanted = tokenIds(args);
    const config = await clusterConfig(options.config, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const ids = await deleteTokens(session, wanted);
        return { data: { deleted: ids }, text: ids.map((id) => `bootstrap token ${id} deleted`).join('\n') };
      },
      { config, quiet: true, bundleOptional: true, hosts: [] },
    );
  },
});
