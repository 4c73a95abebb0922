import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes, duration } from '../../report/table.js';
import { isS3, parseS3Location, s3Folder } from '../../s3/location.js';
import { type SnapshotResult, takeSnapshot } from '../../workflows/etcd-snapshot.js';
import { directoryPlace, type SnapshotPlace, s3Place } from '../../workflows/snapshot-place.js';
import { CLUSTER_OPTIONS, clusterConfig, onControlPlanes, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { ENCRYPT_OPTIONS, encryptionOf } from '../encryption-options.js';
import { outputDirectory } from '../output-path.js';
import { S3_OPTIONS, withS3 } from '../s3-options.js';

export const command = defineCommand({
  name: 'etcd snapshot',
  summary: 'a verified copy of etcd, on this machine or in a bucket',
  details: `Taken from the leader over the SSH connection; nothing is written on the hosts. The digest that etcd sends
along is compared before the file gets its name, CLUSTER-TIME-rREVISION.db. An existing file is never overwritten.
A snapshot holds every Secret of the cluster: its mode is 0600, and --encrypt-to or --passphrase encrypt it in the
format of age before it reaches the disk. A bucket of any server that speaks the S3 API takes it in parts, each signed
with its digest; keys come from the environment (AWS_ACCESS_KEY_ID …) or a file as ~/.aws/credentials.`,
  options: {
    ...CLUSTER_OPTIONS,
    to: {
      flags: '--to <place>',
      description: 'where it goes: a directory, or s3://BUCKET/PREFIX',
      kind: 'string',
      default: '.',
    },
    keep: {
      flags: '--keep <number>',
      description: 'remove older snapshots of this cluster from there, but so many (default: keep all)',
      kind: 'number',
    },
    ...ENCRYPT_OPTIONS,
    ...S3_OPTIONS,
  },
  run: async ({ options, io, global }) => {
    const { keep } = options;
    if (keep !== undefined && (!Number.isInteger(keep) || keep < 1))
      throw new KeelsonError('USAGE', '--keep takes a whole number from 1 on', {
        hint: 'leave it out to keep all',
      });
    const config = await clusterConfig(options.config, io);
    const encryption = await encryptionOf(options, io);
    const taken = (place: SnapshotPlace) =>
      withSession(
        { options, io, global },
        async ({ session }) => {
          const result = await takeSnapshot(session, {
            place,
            ...(encryption === null ? {} : { encryption }),
            ...(keep === undefined ? {} : { keep }),
          });
          return { data: result, text: textOf(result) };
        },
        onControlPlanes(config),
      );
    if (!isS3(options.to)) return taken(directoryPlace(await outputDirectory(options.to, io)));
    const location = parseS3Location(options.to);
    return withS3(options.to, options, io, async (client) => {
      // Keys and endpoint are tried before anything is asked of the hosts.
      await client.list(s3Folder(location).key);
      return taken(s3Place(client, location));
    });
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
