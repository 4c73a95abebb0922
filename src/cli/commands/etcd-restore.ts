import { openSnapshot } from '../../backup/open-snapshot.js';
import { duration } from '../../report/table.js';
import { type RestoreResult, restoreEtcd } from '../../workflows/etcd/restore.js';
import { prepareRestore } from '../../workflows/etcd/restore-plan.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { askFirst, requireAnswer } from '../confirmation.js';
import { DECRYPT_OPTIONS, decryptionOf } from '../encryption-options.js';
import { restorePlanText } from '../restore-text.js';
import { S3_OPTIONS, withSnapshotFile } from '../s3-options.js';

export const command = defineCommand({
  name: 'etcd restore',
  summary: 'etcd of the whole cluster from a snapshot',
  details: `Checks the snapshot, shows the plan, and asks. Then on all hosts with an etcd member: a new data directory is
made beside the old one, API servers and etcd are stopped, directories are exchanged, everything is started again.
Everything that was written after the snapshot is lost. The old data stays beside the new, as member.before-restore-….
Interrupted anywhere, it is ended by the same command. Hosts that are gone for good need state: absent in the file;
hosts that are new join afterwards, by keelson apply. The snapshot is a file, or s3://BUCKET/KEY.`,
  arguments: '<snapshot>',
  options: {
    ...CLUSTER_OPTIONS,
    ...DECRYPT_OPTIONS,
    ...S3_OPTIONS,
    yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
    dryRun: { flags: '--dry-run', description: 'show the plan and change nothing', kind: 'boolean' },
  },
  run: async ({ args, options, io, global }) => {
    requireAnswer(
      options,
      io,
      'a restore replaces what etcd has',
      'look at it with --dry-run, then give --yes',
    );
    const config = await clusterConfig(options.config, io);
    const connections = { config, tolerant: true, bundleOptional: true };
    return withSnapshotFile(args[0] ?? '', options, io, async (file) => {
      const snapshot = await openSnapshot(file, () => decryptionOf(options, io));
      const ended = await askFirst(options, io, {
        look: () =>
          withSession(
            { options, io, global },
            async ({ session }) => (await prepareRestore(session, snapshot)).plan,
            { ...connections, quiet: true },
          ),
        text: restorePlanText,
        question: () => `Replace what etcd of ${config.name} has?`,
        refused: 'nothing was restored',
      });
      if (ended !== null) return ended;
      return withSession(
        { options, io, global },
        async ({ session }) => {
          const result = await restoreEtcd(session, { snapshot, owner: ownerOf() });
          return { data: result, text: resultText(result) };
        },
        connections,
      );
    });
  },
});

function resultText({ plan, revision, nodes, downMs, durationMs }: RestoreResult): string {
  return [
    `Restored revision ${plan.snapshot.revision} of ${plan.cluster} on ${plan.members.map(({ host }) => host).join(', ')} in ${duration(durationMs)}; without an API for ${duration(downMs)}.`,
    `All ${plan.snapshot.keys} keys are there; etcd goes on at revision ${revision}.`,
    ...(nodes.missing.length === 0
      ? []
      : [
          `Nodes that the snapshot does not have register again: ${nodes.missing.join(', ')}. Run keelson apply for their labels and taints.`,
        ]),
    ...(nodes.unknown.length === 0
      ? []
      : [
          `Nodes that no host of the file has: ${nodes.unknown.join(', ')}. Where they are gone: kubectl delete node.`,
        ]),
    ...(plan.joinLater.length === 0 ? [] : [`Run keelson apply: ${plan.joinLater.join(', ')} can join now.`]),
    `Old data: ${plan.members.flatMap(({ host, keptAs }) => (keptAs === null ? [] : [`${host}:${keptAs}`])).join(', ') || 'none'}`,
    '',
  ].join('\n');
}
