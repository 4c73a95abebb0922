import { cordonNodes, refuseNoNodes } from '../workflows/nodes.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from './cluster-options.js';
import { type Command, defineCommand } from './command.js';

interface CordonCommand {
  name: string;
  summary: string;
  details: string;
  /** True where nodes are to take no new pods. */
  unschedulable: boolean;
  /** What a node is afterwards, as it completes "NODE is …". */
  state: string;
}

/** `node cordon` and `node uncordon`, which differ in the direction alone. */
export function cordonCommand({ unschedulable, state, ...named }: CordonCommand): Command {
  return defineCommand({
    ...named,
    arguments: '<node...>',
    options: CLUSTER_OPTIONS,
    run: async ({ args, options, io, global }) => {
      const config = await clusterConfig(options.config, io);
      refuseNoNodes(config, args);
      return withSession(
        { options, io, global },
        async ({ session }) => {
          const nodes = await cordonNodes(session, args, unschedulable);
          const line = ({ node, changed }: (typeof nodes)[number]) =>
            changed ? `${node} is ${state}.` : `${node} was ${state} already.`;
          return { data: { nodes }, text: nodes.map(line).join('\n') };
        },
        { config, quiet: true, bundleOptional: true, hosts: [] },
      );
    },
  });
}
