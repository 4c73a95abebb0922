import { type BackupPart, backupArchive, CLUSTER_FILE_NAME, HOSTS_FOLDER } from '../backup/backup-file.js';
import { type Encryption, encryption } from '../backup/encryption.js';
import type { SnapshotDigest } from '../backup/snapshot-file.js';
import { writeNew } from '../backup/write-new.js';
import type { ClusterClient } from '../cluster/client.js';
import { etcdHosts } from '../config/inventory.js';
import { toKeelsonError } from '../errors/keelson-error.js';
import { sharedPaths } from '../pki/table.js';
import { clusterTrust } from './cluster-api.js';
import { arriving, withTakenSnapshot } from './etcd-snapshot.js';
import type { Session } from './session.js';

export interface BackupOptions {
  /** The file to write; there must be none. */
  file: string;
  encryption: Encryption;
  /** Text of the cluster file. */
  clusterFile: string;
}

export interface BackupResult {
  cluster: string;
  file: string;
  sizeBytes: number;
  member: string;
  /** Revision of etcd that is in it at least. */
  revision: number;
  snapshot: SnapshotDigest;
  /** Names of the files in it, the snapshot aside. */
  files: string[];
  durationMs: number;
}

/** What kubeadm and keelson keep of a cluster's own configuration. */
const CONFIG_MAPS = [
  ['kube-system', 'kubeadm-config'],
  ['kube-system', 'kubelet-config'],
  ['kube-system', 'kube-proxy'],
  ['kube-public', 'cluster-info'],
] as const;

/**
 * Writes all that it takes to bring a cluster back on other machines to one encrypted file: a snapshot of etcd, the
 * authorities and service-account keys, the cluster file, kubeadm's ConfigMaps, and the key that the API server
 * encrypts Secrets with, if it has one.
 * @throws USAGE for an encryption that can't be, CONFLICT where the file exists, CONNECTION, VERIFY
 */
export async function backupCluster(session: Session, options: BackupOptions): Promise<BackupResult> {
  const { context } = session;
  const started = context.now();
  const encrypt = await encryption(options.encryption);
  await clusterTrust(session);
  const parts: BackupPart[] = [
    { name: CLUSTER_FILE_NAME, content: Buffer.from(options.clusterFile) },
    ...(await trustParts(session)),
    ...(await objectParts(session)),
  ];
  return withTakenSnapshot(session, async (snapshot) => {
    const arrival = arriving(snapshot, snapshot.member);
    const about = {
      cluster: context.config.name,
      createdAt: new Date(started).toISOString(),
      kubernetesVersion: context.config.cluster.kubernetesVersion,
      revision: snapshot.revision,
      member: snapshot.member,
    };
    const archive = backupArchive(about, parts, { chunks: arrival.chunks, size: snapshot.size });
    const sizeBytes = await writeNew(options.file, encrypt(archive));
    return {
      cluster: context.config.name,
      file: options.file,
      sizeBytes,
      member: snapshot.member,
      revision: snapshot.revision,
      snapshot: arrival.digest(),
      files: parts.map(({ name }) => name),
      durationMs: context.now() - started,
    };
  });
}

/** Authorities and keys that nothing can be issued without; leaves are issued anew wherever they are needed. */
async function trustParts(session: Session): Promise<BackupPart[]> {
  const { context, hosts } = session;
  const { cluster } = context.config;
  const [member] = etcdHosts(context.config).filter(({ name }) => hosts.has(name));
  const encryptionConfig = (cluster.apiServer.extraArgs ?? []).find(
    ({ name }) => name === 'encryption-provider-config',
  )?.value;
  const wanted = [
    { host: context.first.name, paths: sharedPaths(cluster) },
    ...(member === undefined ? [] : [{ host: member.name, paths: sharedPaths(cluster, 'etcd') }]),
    ...(encryptionConfig === undefined ? [] : [{ host: context.first.name, paths: [encryptionConfig] }]),
  ];
  const parts = await Promise.all(
    wanted.map(async ({ host, paths }) => {
      const seen = await session.effects.host(host).read({ files: paths });
      return paths.flatMap((path): BackupPart[] => {
        const content = seen.files.get(path)?.content;
        return content === undefined ? [] : [{ name: `${HOSTS_FOLDER}/${host}${path}`, content }];
      });
    }),
  );
  return parts.flat();
}

async function objectParts({ context }: Session): Promise<BackupPart[]> {
  const client = context.api();
  if (client === null) return [];
  try {
    const found = await Promise.all(
      CONFIG_MAPS.map(([namespace, name]) => configMap(client, namespace, name)),
    );
    return found.flatMap((part) => part ?? []);
  } catch (error) {
    // They are in the snapshot too.
    const { code, message } = toKeelsonError(error);
    if (code !== 'CONNECTION' && code !== 'API') throw error;
    context.emit({ type: 'note', host: '', level: 'warning', text: `without ConfigMaps: ${message}` });
    return [];
  }
}

async function configMap(client: ClusterClient, namespace: string, name: string): Promise<BackupPart | null> {
  const object = await client.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });
  if (object === null) return null;
  return {
    name: `objects/${namespace}/${name}.json`,
    content: Buffer.from(`${JSON.stringify(object, null, 2)}\n`),
  };
}
