import { HOSTS_FOLDER, type OpenBackup } from '../backup/backup-file.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { inspectBundle } from '../pki/inspect.js';
import { parsePrivateKey } from '../pki/keys.js';

/** An authority in a backup. */
interface BackupAuthority {
  /** Path on its host. */
  path: string;
  commonName: string;
  /** ISO 8601. */
  notAfter: string;
}

export interface BackupReport {
  cluster: string;
  kubernetesVersion: string;
  createdAt: string;
  ageMs: number;
  revision: number;
  keys: number;
  objects: Record<string, number>;
  /** Number of Secrets by how they are stored; `plain` for readable ones. */
  secrets: Record<string, number>;
  authorities: BackupAuthority[];
  files: string[];
  /** What a cluster could not be brought back for, or what deserves attention; one sentence each. */
  problems: string[];
}

const NEEDED = ['/ca.crt', '/ca.key', '/sa.key', '/sa.pub', '/front-proxy-ca.crt', '/front-proxy-ca.key'];
const ETCD_NEEDED = ['/etcd/ca.crt', '/etcd/ca.key'];

/** What a backup, read and checked, is worth. Works on this machine alone. */
export function backupReport(backup: OpenBackup, now: number): BackupReport {
  const { index, snapshot, files } = backup;
  const { contents } = snapshot;
  const encrypted = Object.values(contents.encryptedSecrets).reduce((sum, count) => sum + count, 0);
  const plain = (contents.objects.secrets ?? 0) - encrypted;
  const hostFiles = [...files].filter(([name]) => name.startsWith(`${HOSTS_FOLDER}/`));
  const { authorities, problems } = trustIn(hostFiles, now);
  const keyed = hostFiles.some(([, content]) => content.includes('EncryptionConfiguration'));
  return {
    cluster: index.cluster,
    kubernetesVersion: index.kubernetesVersion,
    createdAt: index.createdAt,
    ageMs: Math.max(0, now - Date.parse(index.createdAt)),
    revision: contents.revision,
    keys: contents.keys,
    objects: contents.objects,
    secrets: { ...(plain > 0 ? { plain } : {}), ...contents.encryptedSecrets },
    authorities,
    files: [...files.keys()],
    problems: [
      ...problems,
      ...(contents.revision < index.revision
        ? [`its snapshot ends at revision ${contents.revision}, though ${index.revision} was there`]
        : []),
      ...(encrypted > 0 && !keyed
        ? [`${encrypted} Secrets are encrypted, and the key that the API server reads them with is not in it`]
        : []),
    ],
  };
}

function trustIn(
  files: readonly (readonly [string, Buffer])[],
  now: number,
): { authorities: BackupAuthority[]; problems: string[] } {
  const problems: string[] = [];
  const authorities: BackupAuthority[] = [];
  const contents = new Map(files);
  const missing = [...NEEDED, ...ETCD_NEEDED].filter(
    (end) => !files.some(([name]) => name.endsWith(`/pki${end}`) || name.endsWith(end)),
  );
  if (missing.length > 0) problems.push(`it lacks ${missing.map((end) => end.slice(1)).join(', ')}`);
  for (const [name, content] of files) {
    if (!name.endsWith('.crt')) continue;
    const path = name.replace(/^[^/]+\/[^/]+/, '');
    try {
      const [info] = inspectBundle(content.toString(), path);
      authorities.push({ path, commonName: info.commonName, notAfter: info.notAfter.toISOString() });
      if (info.notAfter.getTime() < now) problems.push(`${path} has expired`);
      const key = contents.get(name.replace(/\.crt$/, '.key'));
      if (key !== undefined && !info.x509.checkPrivateKey(parsePrivateKey(key.toString(), path)))
        problems.push(`the key beside ${path} is another's`);
    } catch (error) {
      if (!(error instanceof KeelsonError)) throw error;
      problems.push(error.message);
    }
  }
  return { authorities, problems };
}
