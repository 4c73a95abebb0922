import { pauseUpgrade } from '../../workflows/upgrade/pause.js';
import { CLUSTER_OPTIONS, clusterConfig, onControlPlanes, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'upgrade pause',
  summary: 'let a run begin nothing further, wherever it was started',
  details: `The host, wave or add-on that an upgrade or rollback is at is finished; then the run ends and says who has paused it.
No run begins until keelson upgrade resume; after it, keelson upgrade apply goes on.`,
  options: CLUSTER_OPTIONS,
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const pause = await withSession(
      { options, io, global },
      ({ session }) => pauseUpgrade(session, ownerOf()),
      onControlPlanes(config),
    );
    return { data: pause, text: `Upgrades of ${config.name} are paused, by ${pause.by} at ${pause.at}.\n` };
  },
});
