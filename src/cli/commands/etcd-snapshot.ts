import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes, duration } from '../../report/table.js';
import { type SnapshotResult, takeSnapshot } from '../../workflows/etcd-snapshot.js';
import { CLUSTER_OPTIONS, clusterConfig, onControlPlanes, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { ENCRYPT_OPTIONS, encryptionOf } from '../encryption-options.js';
import { outputDirectory } from '../output-path.js';

export const command = defineCommand({
  name: 'etcd snapshot',
  summary: 'a verified copy of etcd, on this machine',
  details: `Taken from the leader over the SSH connection; nothing is written on the hosts. The digest that etcd sends
along is compared before the file gets its name, CLUSTER-TIME-rREVISION.db. An existing file is never overwritten.
A snapshot holds every Secret of the cluster: its mode is 0600, and --encrypt-to or --passphrase encrypt it in the
format of age before it reaches the disk.`,
  options: {
    ...CLUSTER_OPTIONS,
    to: { flags: '--to <directory>', description: 'where the file goes', kind: 'string', default: '.' },
    keep: {
      flags: '--keep <number>',
      description: 'remove older snapshots of this cluster from there, but so many (default: keep all)',
      kind: 'number',
    },
    ...ENCRYPT_OPTIONS,
  },
  run: async ({ options, io, global }) => {
    const { keep } = options;
    if (keep !== undefined && (!Number.isInteger(keep) || keep < 1))
      throw new KeelsonError('USAGE', '--keep takes a whole number from 1 on', {
        hint: 'leave it out to keep all',
      });
    const config = await clusterConfig(options.config, io);
    const directory = await outputDirectory(options.to, io);
    const encryption = await encryptionOf(options, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await takeSnapshot(session, {
          directory,
          ...(encryption === null ? {} : { encryption }),
          ...(keep === undefined ? {} : { keep }),
        });
        return { data: result, text: textOf(result) };
      },
      onControlPlanes(config),
    );
  },
});

function textOf(result: SnapshotResult): string {
  const { contents } = result;
  const objects =
    contents === null ? null : Object.values(contents.objects).reduce((sum, count) => sum + count, 0);
  return [
    `${result.file}`,
    `${bytes(result.sizeBytes)} of ${result.cluster}, from ${result.member} in ${duration(result.durationMs)}; digest compared${result.encrypted ? ', encrypted' : ''}.`,
    objects === null
      ? `Revision ${result.revision} or later.`
      : `Revision ${result.revision}, ${objects} objects.`,
    ...(result.removed.length === 0 ? [] : [`Removed: ${result.removed.join(', ')}`]),
    '',
  ].join('\n');
}
