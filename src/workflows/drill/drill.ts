import { HOSTS_FOLDER, type OpenBackup, SNAPSHOT_NAME } from '../../backup/backup-file.js';
import { objectCounts } from '../../cluster/object-counts.js';
import { awaitLocalApi } from '../../phases/local-api.js';
import { CERTIFICATE_MODE, SECRET_MODE } from '../../pki/table.js';
import { applyCluster } from '../apply.js';
import { clusterApi } from '../cluster-api.js';
import { restoreEtcd } from '../etcd/restore.js';
import { phasesNamed } from '../phase-selection.js';
import type { Session } from '../session.js';
import { compareCounts, type ResourceDrill } from './compare.js';

/**
 * An etcd and an API server, and nothing that would act on what they have: no controller, no scheduler, no network.
 */
const PHASES = [
  'host/prepare',
  'certs',
  'kubeconfig/admin',
  'kubeconfig/super-admin',
  'kubeconfig/kubelet',
  'runtime/containerd',
  'kubelet/install',
  'images/control-plane',
  'etcd/local',
  'control-plane/apiserver',
  'kubelet-start',
  'wait-control-plane',
];

export interface DrillResult {
  cluster: string;
  createdAt: string;
  /** Age of the backup, milliseconds: what a cluster that is brought back from it would have lost. */
  ageMs: number;
  kubernetesVersion: string;
  revision: number;
  /** Keys that etcd had after the restore, before any API server wrote: exactly those of the snapshot. */
  keys: number;
  resources: ResourceDrill[];
  /** Secrets in the snapshot, and how many of them are encrypted, by provider. */
  secrets: { stored: number; encrypted: Readonly<Record<string, number>> };
  problems: string[];
  /** From a bare machine to an API server that has been asked for everything, milliseconds. */
  durationMs: number;
}

/**
 * Brings a backup back on a bare machine and reads everything in it through an API server.
 * @param session of the machine: a cluster file of `drillClusterFile`
 * @throws what an apply or a restore throws; VERIFY where etcd does not have what the snapshot has
 */
export async function drillBackup(
  session: Session,
  backup: OpenBackup,
  { file, owner }: { file: string; owner: string },
): Promise<DrillResult> {
  const { context } = session;
  const started = context.now();
  const { index, snapshot } = backup;
  await putTrust(session, backup);
  await applyCluster(session, {
    owner,
    run: 'backup drill',
    phases: PHASES.flatMap((name) => phasesNamed(name)),
    preflight: false,
  });
  const takenAt = Date.parse(index.createdAt);
  const { digest, contents, content } = snapshot;
  const name = `${file}:${SNAPSHOT_NAME}`;
  const { plan } = await restoreEtcd(session, {
    owner,
    snapshot: { file: name, content, digest, contents, takenAt, cluster: index.cluster },
    // One that can't read all of its Secrets is never ready.
    awaited: '/api/v1/namespaces',
  });
  const resources = compareCounts(contents.objects, await objectCounts(await clusterApi(session)));
  const problems = resources.flatMap(({ problem }) => problem ?? []);
  if (problems.length === 0) await awaitLocalApi(context, context.reader(context.first.name));
  return {
    cluster: index.cluster,
    createdAt: index.createdAt,
    ageMs: Math.max(0, started - takenAt),
    kubernetesVersion: index.kubernetesVersion,
    revision: contents.revision,
    keys: plan.snapshot.keys,
    resources,
    secrets: { stored: contents.objects.secrets ?? 0, encrypted: contents.encryptedSecrets },
    problems,
    durationMs: context.now() - started,
  };
}

/** Authorities, service-account keys and the key to encrypted Secrets, where the hosts had them. */
async function putTrust({ context, effects }: Session, { files }: OpenBackup): Promise<void> {
  const specs = [...files].flatMap(([name, content]) => {
    const [folder, , ...rest] = name.split('/');
    if (folder !== HOSTS_FOLDER) return [];
    const mode = name.endsWith('.crt') ? CERTIFICATE_MODE : SECRET_MODE;
    return [{ path: `/${rest.join('/')}`, content, mode, dirMode: 0o755 }];
  });
  await effects.host(context.first.name).put(specs, { signal: context.signal });
}
