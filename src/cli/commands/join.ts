import { KeelsonError } from '../../errors/keelson-error.js';
import { duration } from '../../report/table.js';
import { joinHosts, refuseNoneToJoin } from '../../workflows/init.js';
import { CA_KEYS_OPTIONS, caKeysOf } from '../ca-keys-options.js';
import {
  BUNDLE_OPTION,
  CLUSTER_OPTIONS,
  clusterConfig,
  hostSelection,
  ownerOf,
  PREFLIGHT_OPTIONS,
  withSession,
} from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'join',
  summary: 'the named hosts into a running cluster',
  details: 'As kubeadm join, for hosts of the cluster file. Needs a running API; other hosts are left alone.',
  options: {
    ...CLUSTER_OPTIONS,
    ...CA_KEYS_OPTIONS,
    ...BUNDLE_OPTION,
    ...PREFLIGHT_OPTIONS,
    host: { flags: '--host <names>', description: 'hosts that join, separated by commas', kind: 'list' },
  },
  run: async ({ options, io, global }) => {
    if (options.host.length === 0) {
      throw new KeelsonError('USAGE', 'no host was named', {
        hint: 'say --host NAME; keelson apply joins all that are missing',
      });
    }
    const config = await clusterConfig(options.config, io);
    const { hosts = [] } = hostSelection(options.host, config);
    refuseNoneToJoin(config, hosts);
    const keys = await caKeysOf(options, config.name, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await joinHosts(session, {
          hosts,
          stop: io.stop,
          owner: ownerOf(),
          ignorePreflightErrors: options.ignorePreflightErrors,
        });
        const { changed, durationMs } = result;
        const names = hosts.join(', ');
        const text =
          changed === 0
            ? `Nothing to change: ${names} ${hosts.length === 1 ? 'is' : 'are'} in the cluster.`
            : `${names} joined: ${changed} changes in ${duration(durationMs)}.`;
        return { data: { cluster: config.name, hosts, changed, durationMs }, text };
      },
      { config, bundle: options.bundle, obtainBundle: true, hosts, ...keys },
    );
  },
});
