import { bytes, duration, table } from '../../report/table.js';
import { defragment } from '../../workflows/etcd/defrag.js';
import { CLUSTER_OPTIONS, clusterConfig, onControlPlanes, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'etcd defrag',
  summary: 'free pages of etcd’s databases back to the disks, alarms taken back',
  details: `One member after the other, the leader last. A member answers nothing while its database is rewritten, so this is
refused while one is missing. A NOSPACE alarm is taken back where there is room again; others are told.`,
  options: CLUSTER_OPTIONS,
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await defragment(session, { owner: ownerOf() });
        const rows = result.members.map(({ name, before, after }) => [name, bytes(before), bytes(after)]);
        const text = [
          table(['MEMBER', 'BEFORE', 'AFTER'], rows).trimEnd(),
          `Done in ${duration(result.durationMs)}.`,
          ...result.disarmed.map((name) => `Alarm NOSPACE of ${name} taken back.`),
          ...result.alarms,
          '',
        ].join('\n');
        return { data: result, text };
      },
      onControlPlanes(config),
    );
  },
});
