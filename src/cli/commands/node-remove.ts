import { KeelsonError } from '../../errors/keelson-error.js';
import { planText } from '../../report/plan-text.js';
import { duration } from '../../report/table.js';
import { planRemoval, removeHost } from '../../workflows/remove-node.js';
import { writeTombstone } from '../cluster-file.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { DRAIN_OPTIONS, milliseconds } from '../drain-options.js';
import { configWithout, REMOVE_OPTIONS } from '../remove-host.js';

export const command = defineCommand({
  name: 'node remove',
  summary: 'take a host out of the cluster and reset it',
  details: `Writes state: absent at the host into the cluster file (comments stay), then: pods moved as far as disruption
budgets allow, the etcd member out if the others keep their quorum, the host reset, its Node object and join tokens
deleted. emptyDir volumes go with the host. Interrupted, it is ended by the same command, or by keelson apply.`,
  arguments: '<host>',
  options: {
    ...CLUSTER_OPTIONS,
    ...DRAIN_OPTIONS,
    ...REMOVE_OPTIONS,
    dryRun: { flags: '--dry-run', description: 'show the plan and change nothing', kind: 'boolean' },
  },
  run: async ({ args, options, io, global }) => {
    const [name] = args;
    if (name === undefined) throw new KeelsonError('USAGE', 'no host was named');
    const config = configWithout(await clusterConfig(options.config, io), name);
    const removal = {
      force: options.force,
      timeoutMs: milliseconds('--timeout', options.timeout),
      unreachable: options.unreachable,
    };
    if (options.dryRun) {
      const plan = await withSession(
        { options, io, global },
        async ({ session }) => planRemoval(session, name, removal),
        { config, quiet: true, hosts: [] },
      );
      return { data: plan, text: planText(plan, { diffs: false }) };
    }
    await writeTombstone(options.config, name, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const { changed, durationMs } = await removeHost(session, name, {
          ...removal,
          owner: ownerOf(),
          stop: io.stop,
        });
        const text =
          changed === 0
            ? `Nothing to remove: ${name} is not in the cluster.`
            : `${name} is removed: ${changed} changes in ${duration(durationMs)}.`;
        return { data: { cluster: config.name, host: name, changed, durationMs }, text };
      },
      { config, hosts: [] },
    );
  },
});
