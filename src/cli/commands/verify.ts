import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { CHECK_NAMES, CHECKS, selectChecks } from '../../workflows/verify/checks.js';
import { verifyCluster } from '../../workflows/verify.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { verifyText } from '../verify-text.js';

const width = Math.max(...CHECK_NAMES.map((name) => name.length));

export const command = defineCommand({
  name: 'verify',
  summary: 'prove that the cluster works, with real pods',
  details: `Runs a pod of the bundle's probe image on every node, in a namespace of its own that is removed again.
The image is brought to nodes that lack it, and stays there until the kubelet needs the room.

Checks:
${CHECK_NAMES.map((name) => `  ${name.padEnd(width)}  ${CHECKS[name].summary}`).join('\n')}

network-policy is only run with --network-policy. flannel enforces no policies, so that it fails there at once.

reschedule is only run with --reschedule: it stops the kubelet of a worker for about a minute and a half. Pods of
others there run on; those that tolerate an unreachable node for less than that are moved. The kubelet is started
again in any case, by a timer on the host even if keelson is killed.

Exits 6 when a check fails. -o wide shows every row, -o json too.`,
  options: {
    ...CLUSTER_OPTIONS,
    only: { flags: '--only <checks>', description: 'only these checks, separated by commas', kind: 'list' },
    skip: { flags: '--skip <checks>', description: 'not these checks', kind: 'list' },
    networkPolicy: {
      flags: '--network-policy',
      description: 'also see whether network policies hold (fails with flannel, which has none)',
      kind: 'boolean',
    },
    reschedule: {
      flags: '--reschedule',
      description: 'also stop a worker’s kubelet and see its pod move (disrupts)',
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) => {
    const checks = selectChecks(options);
    const config = await clusterConfig(options.config, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const report = await verifyCluster(session, { checks, stop: io.stop, owner: ownerOf() });
        const failure = new KeelsonError('VERIFY', `${report.failed} checks failed`);
        return {
          data: report,
          text: verifyText(report, global.output === 'wide'),
          exitCode: report.ok ? 0 : exitCodeOf(failure),
        };
      },
      { config },
    );
  },
});
