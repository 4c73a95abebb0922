import { drainNodes, refuseNoNodes } from '../../workflows/nodes.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { DRAIN_OPTIONS, milliseconds } from '../drain-options.js';

export const command = defineCommand({
  name: 'node drain',
  summary: 'move pods away from nodes',
  details: `Cordons the nodes, then evicts their pods as far as disruption budgets allow; while a budget blocks, it and
the pod are named. Pods of DaemonSets and static pods stay, as with kubectl drain --ignore-daemonsets. Pods without a
controller, and pods with emptyDir volumes, are refused before anything is changed, unless their options are given.`,
  arguments: '<node...>',
  options: {
    ...CLUSTER_OPTIONS,
    ...DRAIN_OPTIONS,
    deleteEmptydirData: {
      flags: '--delete-emptydir-data',
      description: 'also pods with emptyDir volumes: what is in them is lost',
      kind: 'boolean',
    },
    gracePeriod: {
      flags: '--grace-period <seconds>',
      description: 'time that pods get to end (default: each pod’s own)',
      kind: 'number',
    },
  },
  run: async ({ args, options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    refuseNoNodes(config, args);
    const timeoutMs = milliseconds('--timeout', options.timeout);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const nodes = await drainNodes(session, args, {
          force: options.force,
          deleteEmptyDirData: options.deleteEmptydirData,
          graceSeconds: options.gracePeriod ?? null,
          timeoutMs,
          stop: io.stop,
        });
        const line = ({ node, pods = 0 }: (typeof nodes)[number]) =>
          `${node} is drained: ${pods} ${pods === 1 ? 'pod' : 'pods'} left.`;
        return { data: { nodes }, text: nodes.map(line).join('\n') };
      },
      { config, hosts: [] },
    );
  },
});
