import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CLUSTER_FILE_NAME, type OpenBackup, openBackup } from '../../backup/backup-file.js';
import { parseClusterConfig } from '../../config/load.js';
import type { ClusterConfig } from '../../config/types.js';
import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { nspawnDriver } from '../../lab/nspawn.js';
import { requireRoot } from '../../lab/tools.js';
import { span } from '../../report/age-text.js';
import { duration, table } from '../../report/table.js';
import { backupReport } from '../../workflows/backup-verify.js';
import { drillClusterFile } from '../../workflows/drill/cluster-file.js';
import { type DrillResult, drillBackup } from '../../workflows/drill/drill.js';
import { clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { type CliIO, defineCommand, type GlobalOptions } from '../command.js';
import { DECRYPT_OPTIONS, decryptionOf } from '../encryption-options.js';
import { installLabTools, labBundle } from '../lab-needs.js';
import { labCacheDir, labProgress } from '../lab-options.js';

/** Exit code of a backup that a cluster can't be brought back from. */
const UNFIT = exitCodeOf(new KeelsonError('VERIFY', 'the backup is not complete'));

export const command = defineCommand({
  name: 'backup drill',
  summary: 'bring a backup back in a machine that is thrown away, and read all of it',
  details: `Needs root on Linux: the machine is one of systemd-nspawn on this computer. It gets the authorities of the backup, an
etcd and an API server, and nothing that would act on what they have: no controller, no scheduler, no pod. etcd is
restored and its keys are counted, then every object is read through the API server, which decrypts Secrets. The
machine, and with it the plain keys on its disk, is removed at the end, also after an error or ^C.
Exits ${UNFIT} where anything is wrong.`,
  arguments: '<file>',
  options: {
    ...DECRYPT_OPTIONS,
    bundle: {
      flags: '--bundle <path>',
      description: 'directory or file of a bundle of the backup’s version (default: one is built)',
      kind: 'string',
    },
  },
  run: async ({ args, options, io, global }) => {
    requireRoot();
    const file = resolve(io.cwd, args[0] ?? '');
    const backup = await openBackup(file, () => decryptionOf(options, io));
    const { problems: seen } = backupReport(backup, Date.now());
    const { kubernetesVersion } = backup.index;
    const cluster = clusterOf(backup, io);
    const provide = await labBundle({ bundle: options.bundle, kubernetesVersion }, io, global);
    await installLabTools(io);
    const bundle = await provide();
    const drilled = await inThrowAwayLab(io, global, bundle.path, kubernetesVersion, async (labFile) => {
      await writeFile(labFile, drillClusterFile(await readFile(labFile, 'utf8'), cluster.cluster));
      // There is nothing worth finishing: the first ^C is enough.
      const breakable = { ...io, abort: AbortSignal.any([io.abort, io.stop]) };
      const values = { config: labFile, acceptNewHostKeys: false, askSudoPassword: false };
      const config = await clusterConfig(labFile, io);
      return withSession(
        { options: values, io: breakable, global },
        ({ session }) => drillBackup(session, backup, { file, owner: ownerOf() }),
        { config },
      );
    });
    const result = { ...drilled, problems: [...seen, ...drilled.problems] };
    return { data: result, text: textOf(result), exitCode: result.problems.length === 0 ? 0 : UNFIT };
  },
});

/** What the backup's cluster file says. @throws VERIFY where there is none, CONFIG for one that is wrong */
function clusterOf({ files }: OpenBackup, io: CliIO): ClusterConfig {
  const text = files.get(CLUSTER_FILE_NAME)?.toString();
  if (text === undefined) throw new KeelsonError('VERIFY', `the backup has no ${CLUSTER_FILE_NAME}`);
  return parseClusterConfig(text, {
    file: CLUSTER_FILE_NAME,
    baseDir: io.cwd,
    homeDir: io.home,
    env: io.env,
  });
}

/** Lends a lab of one machine; nothing of it is left, whatever happens. */
async function inThrowAwayLab<T>(
  io: CliIO,
  global: GlobalOptions,
  bundle: string,
  kubernetesVersion: string,
  use: (clusterFile: string) => Promise<T>,
): Promise<T> {
  const name = `drill-${randomBytes(4).toString('hex')}`;
  const parent = await mkdtemp(join(tmpdir(), 'keelson-drill-'));
  const directory = join(parent, name);
  const lab = { name, directory, cacheDir: labCacheDir(io) };
  const onEvent = labProgress(io, global);
  try {
    const machines = { controlPlanes: 1, workers: 0 };
    await nspawnDriver.up({ ...lab, ...machines, kubernetesVersion, bundle }, { onEvent, signal: io.stop });
    return await use(join(directory, 'cluster.yaml'));
  } finally {
    await nspawnDriver.down(lab, { onEvent });
    await rm(parent, { recursive: true, force: true });
  }
}

function textOf(result: DrillResult): string {
  const { secrets } = result;
  const encrypted = Object.entries(secrets.encrypted).map(([provider, count]) => `${count} ${provider}`);
  const read = result.resources.reduce((sum, own) => sum + (own.read === null ? 0 : own.stored), 0);
  return [
    `Backup of ${result.cluster}, Kubernetes ${result.kubernetesVersion}, made ${result.createdAt}: ${span(result.ageMs)} old.`,
    `Brought back in ${duration(result.durationMs)}: revision ${result.revision}, ${result.keys} keys, ${read} objects read through the API server.`,
    `Secrets: ${secrets.stored}, of them encrypted: ${encrypted.join(', ') || 'none'}.`,
    '',
    table(
      ['RESOURCE', 'IN THE BACKUP', 'READ'],
      result.resources.map((own) => [
        own.resource,
        String(own.stored),
        own.read === null ? '-' : String(own.read),
      ]),
    ),
    ...(result.problems.length === 0
      ? ['A cluster can be brought back from it.']
      : result.problems.map((text) => `✖ ${text}`)),
    '',
  ].join('\n');
}
