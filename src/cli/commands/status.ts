import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { statusText } from '../../report/status-text.js';
import { clusterStatus } from '../../workflows/status.js';
import { CLUSTER_OPTIONS, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

/** Exit code of an unhealthy cluster, the same as that of a failed verify. */
const UNHEALTHY = exitCodeOf(new KeelsonError('VERIFY', 'the cluster is not healthy'));

export const command = defineCommand({
  name: 'status',
  summary: 'hosts, versions, certificates and health at a glance',
  details: 'Reads only. Exits 0 also where the cluster is not healthy, but for --exit-code: 6.',
  options: {
    ...CLUSTER_OPTIONS,
    exitCode: {
      flags: '--exit-code',
      description: `exit ${UNHEALTHY} where the cluster is not healthy`,
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) =>
    withSession(
      { options, io, global },
      async ({ session }) => {
        const status = await clusterStatus(session);
        const exitCode = options.exitCode && !status.healthy ? UNHEALTHY : 0;
        return { data: status, text: statusText(status), exitCode };
      },
      { quiet: true, bundleOptional: true, tolerant: true },
    ),
});
