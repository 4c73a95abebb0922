import { cordonNodes } from '../../workflows/nodes.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'node uncordon',
  summary: 'nodes take pods again',
  details: 'Takes keelson node cordon and keelson node drain back.',
  arguments: '<node...>',
  options: CLUSTER_OPTIONS,
  run: async ({ args, options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    return withSession(
      options,
      io,
      global,
      async ({ session }) => {
        const nodes = await cordonNodes(session, args, false);
        const line = ({ node, changed }: (typeof nodes)[number]) =>
          changed ? `${node} is schedulable.` : `${node} was schedulable already.`;
        return { data: { nodes }, text: nodes.map(line).join('\n') };
      },
      { config, quiet: true, hosts: [] },
    );
  },
});
