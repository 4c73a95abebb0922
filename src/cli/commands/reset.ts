import { planText } from '../../report/plan-text.js';
import { duration } from '../../report/table.js';
import { changesIn } from '../../workflows/plan.js';
import { configOfReset, hostsToReset, planReset, resetCluster } from '../../workflows/reset.js';
import { CLUSTER_OPTIONS, clusterConfig, hostSelection, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { askFirst, requireAnswer } from '../confirmation.js';

export const command = defineCommand({
  name: 'reset',
  summary: 'take hosts back to what they were',
  details: [
    'Removes kubelet, containers, etcd’s data, network, certificates and everything that keelson installed.',
    'A control plane of several first leaves etcd; that is refused where the others would lose their quorum.',
    'Files that keelson overwrote do not come back, and kernel modules stay loaded until the next boot.',
    'Safe to repeat; works on half-installed hosts and while the API does not answer.',
  ].join('\n'),
  options: {
    ...CLUSTER_OPTIONS,
    host: { flags: '--host <names>', description: 'only these hosts (default all)', kind: 'list' },
    yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
    dryRun: {
      flags: '--dry-run',
      description: 'show what would be removed and change nothing',
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const selected = hostSelection(options.host, config);
    const selection = { hosts: selected.hosts ?? [] };
    const hosts = hostsToReset(config, selection);
    const open = configOfReset(config, hosts);
    // The rest of a cluster that lives on needs no connection; hosts that leave are connected to beside.
    const connections = open === config ? { config } : { config: open, hosts: [] };
    requireAnswer(
      options,
      io,
      'reset destroys what is on the hosts',
      'look at keelson reset --dry-run, then give --yes',
    );
    const ended = await askFirst(options, io, {
      look: () =>
        withSession({ options, io, global }, async ({ session }) => planReset(session, selection), {
          ...connections,
          quiet: true,
        }),
      text: (plan) => (changesIn(plan) === 0 ? nothingText(hosts) : planText(plan, { diffs: false })),
      nothing: (plan) => changesIn(plan) === 0,
      question: () => `Reset ${hosts.join(', ')} of ${config.name}?`,
      refused: 'nothing was reset',
    });
    if (ended !== null) return ended;
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await resetCluster(session, { ...selection, owner: ownerOf(), stop: io.stop });
        const { changed, durationMs } = result;
        const text =
          changed === 0
            ? nothingText(hosts)
            : `Reset ${hosts.join(', ')} in ${duration(durationMs)}: ${changed} changes.`;
        return { data: { cluster: config.name, hosts, changed, durationMs }, text };
      },
      connections,
    );
  },
});

const nothingText = (hosts: readonly string[]) => `Nothing to reset on ${hosts.join(', ')}.`;
