import { resolve } from 'node:path';
import { openBackup } from '../../backup/backup-file.js';
import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { span } from '../../report/age-text.js';
import { type BackupReport, backupReport } from '../../workflows/backup-verify.js';
import { defineCommand } from '../command.js';
import { DECRYPT_OPTIONS, decryptionOf } from '../encryption-options.js';

/** Exit code of a backup that a cluster can't be brought back from. */
const UNFIT = exitCodeOf(new KeelsonError('VERIFY', 'the backup is not complete'));

export const command = defineCommand({
  name: 'backup verify',
  summary: 'check every byte of a backup, and say what it holds',
  details: `Needs no host. Decrypts the file in memory, compares every digest, walks the database, and checks authorities and
their keys. Exits ${UNFIT} where anything is wrong.`,
  arguments: '<file>',
  options: DECRYPT_OPTIONS,
  run: async ({ args, options, io }) => {
    const file = resolve(io.cwd, args[0] ?? '');
    const backup = await openBackup(file, () => decryptionOf(options, io));
    const report = backupReport(backup, Date.now());
    return { data: report, text: textOf(report), exitCode: report.problems.length === 0 ? 0 : UNFIT };
  },
});

function textOf(report: BackupReport): string {
  const objects = Object.values(report.objects).reduce((sum, count) => sum + count, 0);
  const secrets = Object.entries(report.secrets).map(([how, count]) => `${count} ${how}`);
  const most = Object.entries(report.objects)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([resource, count]) => `${count} ${resource}`);
  return [
    `Backup of ${report.cluster}, Kubernetes ${report.kubernetesVersion}, made ${report.createdAt}, ${span(report.ageMs)} ago`,
    `etcd: revision ${report.revision}, ${objects} objects (${most.join(', ')}, …); Secrets: ${secrets.join(', ') || 'none'}`,
    ...report.authorities.map(({ path, notAfter }) => `${path}: until ${notAfter.slice(0, 10)}`),
    ...(report.problems.length === 0
      ? ['Every byte is as it was written.']
      : report.problems.map((text) => `✖ ${text}`)),
    '',
  ].join('\n');
}
