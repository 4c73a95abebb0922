import { controlPlanes } from '../../config/inventory.js';
import { resumeUpgrade } from '../../workflows/upgrade/pause.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'upgrade resume',
  summary: 'end the pause',
  details: 'Starts nothing: keelson upgrade apply goes on with what is under way.',
  options: CLUSTER_OPTIONS,
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const hosts = controlPlanes(config).map(({ name }) => name);
    // All of them: a control plane that is left out would keep the pause.
    const paused = await withSession({ options, io, global }, ({ session }) => resumeUpgrade(session), {
      config,
      hosts,
      bundleOptional: true,
    });
    const text = paused
      ? `The pause is over: keelson upgrade apply goes on with what is under way.\n`
      : 'There was no pause.\n';
    return { data: { paused }, text };
  },
});
