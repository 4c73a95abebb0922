import { hostNamed } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { duration } from '../../report/table.js';
import { joinHosts } from '../../workflows/init.js';
import { removeHost } from '../../workflows/remove-node.js';
import { writeTombstone } from '../cluster-file.js';
import {
  CLUSTER_OPTIONS,
  clusterConfig,
  ownerOf,
  PREFLIGHT_OPTIONS,
  withSession,
} from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { DRAIN_OPTIONS, milliseconds } from '../drain-options.js';
import { configWithout, REMOVE_OPTIONS } from '../remove-host.js';

export const command = defineCommand({
  name: 'node replace',
  summary: 'put one host in the place of another',
  details: `Both stand in the cluster file, with the same role. The new one joins, then the old one is removed as by
keelson node remove, which also writes state: absent into the file. With --unreachable the old one goes first, since a
dead etcd member counts against the quorum. Any control plane can be replaced, also the first in the file.
Interrupted, it is ended by the same command.`,
  arguments: '<old> <new>',
  options: { ...CLUSTER_OPTIONS, ...DRAIN_OPTIONS, ...REMOVE_OPTIONS, ...PREFLIGHT_OPTIONS },
  run: async ({ args, options, io, global }) => {
    const [old = '', fresh = ''] = args;
    const config = await clusterConfig(options.config, io);
    refuseUnlike(config, old, fresh);
    const without = configWithout(config, old);
    const timeoutMs = milliseconds('--timeout', options.timeout);
    const started = Date.now();

    const join = () =>
      withSession(
        { options, io, global },
        async ({ session }) => {
          // The one that the others join has nothing to join; so it is when this runs a second time.
          if (session.context.first.name === fresh) return 0;
          const result = await joinHosts(session, {
            hosts: [fresh],
            // The removal that comes with it tells the other hosts of both.
            follow: false,
            owner: ownerOf(),
            stop: io.stop,
            ignorePreflightErrors: options.ignorePreflightErrors,
          });
          return result.changed;
        },
        { config: options.unreachable ? without : config, hosts: [fresh] },
      );
    const remove = async () => {
      await writeTombstone(options.config, old, io);
      return withSession(
        { options, io, global },
        async ({ session }) => {
          const { force, unreachable } = options;
          const removal = { force, unreachable, timeoutMs, owner: ownerOf(), stop: io.stop };
          return (await removeHost(session, old, removal)).changed;
        },
        { config: without, hosts: [] },
      );
    };
    let changed = 0;
    for (const step of options.unreachable ? [remove, join] : [join, remove]) changed += await step();
    const durationMs = Date.now() - started;
    const text =
      changed === 0
        ? `Nothing to replace: ${fresh} is in the cluster, and ${old} is not.`
        : `${fresh} is in the place of ${old}: ${changed} changes in ${duration(durationMs)}.`;
    return { data: { cluster: config.name, old, new: fresh, changed, durationMs }, text };
  },
});

function refuseUnlike(config: ClusterConfig, old: string, fresh: string): void {
  const [before, after] = [hostNamed(config, old), hostNamed(config, fresh)];
  const hint = 'write the new host into the cluster file, beside the old one and with its role';
  if (old === fresh) throw new KeelsonError('USAGE', 'a host can’t be replaced by itself', { hint });
  if (after.state === 'absent') {
    throw new KeelsonError('USAGE', `${fresh} is to be removed: its state is absent`, { hint });
  }
  if (before.role !== after.role) {
    throw new KeelsonError('USAGE', `${old} is a ${before.role}, ${fresh} a ${after.role}`, { hint });
  }
}
