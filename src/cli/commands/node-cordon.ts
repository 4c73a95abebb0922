import { cordonNodes } from '../../workflows/nodes.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'node cordon',
  summary: 'no new pods on nodes',
  details: 'Pods that run there stay. keelson node uncordon takes it back.',
  arguments: '<node...>',
  options: CLUSTER_OPTIONS,
  run: async ({ args, options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    return withSession(
      options,
      io,
      global,
      async ({ session }) => {
        const nodes = await cordonNodes(session, args, true);
        const line = ({ node, changed }: (typeof nodes)[number]) =>
          changed ? `${node} is cordoned.` : `${node} was cordoned already.`;
        return { data: { nodes }, text: nodes.map(line).join('\n') };
      },
      { config, quiet: true, hosts: [] },
    );
  },
});
