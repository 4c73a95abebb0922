import { durationMs } from '../config/go-duration.js';
import type { ClusterConfiguration, Role } from '../config/types.js';
import type { LeafExpectation } from './check-leaf.js';
import { issueLeaf } from './cluster-pki.js';
import { type Authority, createLeaf, type IssueContext, signRequest } from './issue.js';
import { readKubeconfig, withUser } from './kubeconfig.js';
import {
  type AuthorityName,
  certificatePaths,
  hasClusterIdentity,
  KUBECONFIGS,
  type KubeconfigRow,
  kubeconfigPath,
  type LeafRow,
  leavesOf,
  type PkiScope,
} from './table.js';

/** Something that can be renewed on a host. `name` is kubeadm's: `apiserver`, `admin.conf`. */
export type Renewable =
  | {
      name: string;
      kind: 'leaf';
      row: LeafRow;
      authority: AuthorityName;
      paths: readonly [cert: string, key: string];
    }
  | {
      name: string;
      kind: 'kubeconfig';
      row: KubeconfigRow;
      authority: AuthorityName;
      paths: readonly [string];
    };

/** What a host of that role can have renewed, as `kubeadm certs renew` has it; the kubelet looks after itself. */
export function renewableOn(cluster: ClusterConfiguration, role: Role): Renewable[] {
  if (role === 'worker') return [];
  const leaves = leavesOf(cluster, role).map((row): Renewable => {
    const { cert, key } = certificatePaths(cluster, row);
    return { name: row.name, kind: 'leaf', row, authority: row.authority, paths: [cert, key] };
  });
  const identities = hasClusterIdentity(role) ? KUBECONFIGS.filter((row) => row.name !== 'kubelet') : [];
  return [
    ...leaves,
    ...identities.map(
      (row): Renewable => ({
        name: row.file,
        kind: 'kubeconfig',
        row,
        authority: 'ca',
        paths: [kubeconfigPath(row)],
      }),
    ),
  ];
}

/** PEM of the certificate that is to be renewed, as its file has it; null where there is none to be read. */
export function certificateIn(renewable: Renewable, content: string): string | null {
  if (renewable.kind === 'leaf') return content;
  try {
    return readKubeconfig(content, renewable.paths[0]).certPem;
  } catch {
    return null;
  }
}

/**
 * New files in place of those of a host, with a new key. A kubeconfig keeps everything but its user's credentials.
 * @param before content of the file that is renewed
 * @returns contents by path
 */
export async function renewed(
  renewable: Renewable,
  scope: PkiScope,
  authority: Authority,
  before: string,
  context: IssueContext,
): Promise<Map<string, string>> {
  if (renewable.kind === 'leaf') {
    const { certPem, keyPem } = await issueLeaf(renewable.row, scope, authority, context);
    const [cert, key] = renewable.paths;
    return new Map([
      [cert, certPem],
      [key, keyPem],
    ]);
  }
  const { paths } = renewable;
  const pair = await createLeaf(
    {
      ...expectedOf(renewable, scope),
      algorithm: scope.cluster.encryptionAlgorithm,
      validityMs: durationMs(scope.cluster.certificateValidityPeriod),
      notBefore: 'backdated',
    },
    authority,
    context,
  );
  return new Map([[paths[0], withUser(before, paths[0], pair)]]);
}

/** PEM of the key that goes with the certificate; null where it can't be read. @param files of the host, by path */
export function keyIn(renewable: Renewable, files: ReadonlyMap<string, string>): string | null {
  if (renewable.kind === 'leaf') return files.get(renewable.paths[1]) ?? null;
  const [path] = renewable.paths;
  try {
    return readKubeconfig(files.get(path) ?? '', path).keyPem;
  } catch {
    return null;
  }
}

/** What the certificate has to be, by the cluster file. */
export function expectedOf(renewable: Renewable, scope: PkiScope): LeafExpectation {
  if (renewable.kind === 'leaf') {
    const { row } = renewable;
    return {
      commonName: row.commonName(scope),
      organizations: row.organizations(scope),
      usages: row.usages,
      sans: row.sans(scope),
      identityMatters: true,
    };
  }
  const { row } = renewable;
  return {
    commonName: row.user(scope),
    organizations: row.organizations,
    usages: ['clientAuth'],
    sans: { dns: [], ips: [] },
    identityMatters: true,
  };
}

/** Files with a certificate that somebody else has signed, for the key that is there. Contents by path. */
export function withCertificate(
  renewable: Renewable,
  certPem: string,
  files: ReadonlyMap<string, string>,
): Map<string, string> {
  const [path] = renewable.paths;
  if (renewable.kind === 'leaf') return new Map([[path, certPem]]);
  const keyPem = keyIn(renewable, files) ?? '';
  return new Map([[path, withUser(files.get(path) ?? '', path, { certPem, keyPem })]]);
}

/** A kubelet's client certificate for the key that it has. @param publicKey SubjectPublicKeyInfo, DER */
export function kubeletClient(
  publicKey: Buffer,
  { cluster, host }: PkiScope,
  authority: Authority,
  context: IssueContext,
): Promise<string> {
  const commonName = `system:node:${host.nodeRegistration.name}`;
  const organizations = ['system:nodes'];
  const rawData = new Uint8Array(publicKey).buffer;
  return signRequest(
    { commonName, organizations, sans: [], publicKey: { rawData } },
    {
      commonName,
      organizations,
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
      validityMs: durationMs(cluster.certificateValidityPeriod),
      notBefore: 'backdated',
    },
    authority,
    context,
  );
}
