import { createPublicKey } from 'node:crypto';
import { durationMs } from '../config/go-duration.js';
import type { ClusterConfiguration } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { isError } from './findings.js';
import {
  type Authority,
  type CertAndKey,
  createAuthority,
  createLeaf,
  type IssueContext,
  openAuthority,
} from './issue.js';
import { generateKey, parsePrivateKey, privateKeyPem, publicKeyPem } from './keys.js';
import { kubeconfigText, withServer } from './kubeconfig.js';
import {
  type ExistingFiles,
  type PkiEntry,
  planCertificates,
  planSharedCertificates,
} from './plan-certificates.js';
import {
  type AuthorityName,
  authoritiesOf,
  CERTIFICATE_MODE,
  certificatePaths,
  KUBECONFIGS,
  type KubeconfigName,
  type KubeconfigRow,
  kubeconfigPath,
  type LeafRow,
  leavesOf,
  type PkiScope,
  SECRET_MODE,
  serviceAccountPaths,
} from './table.js';

interface PkiFile {
  content: Buffer;
  mode: number;
}

/** Files by absolute path on the host. */
export type PkiFiles = Map<string, PkiFile>;

export interface ClusterPkiInput {
  cluster: ClusterConfiguration;
  /** What stands on the host already; kept as it is where it is valid. */
  existing?: ExistingFiles;
  context: IssueContext;
}

export interface HostPkiInput extends ClusterPkiInput, PkiScope {
  /** Default: those of the first control plane. */
  kubeconfigs?: readonly KubeconfigName[];
  /** Issue serving certificates anew whose only fault is that names are lacking; default false: an error. */
  reissueForSans?: boolean;
  /** Kubeconfigs that name another endpoint than the cluster's get it, and keep their identity. */
  followEndpoint?: boolean;
}

/**
 * What all control planes share: authorities and service-account keys, complete, existing files unchanged
 * and missing ones made. Throws PKI with the findings where something exists and is wrong.
 */
export async function issueClusterPki({
  cluster,
  existing = new Map(),
  context,
}: ClusterPkiInput): Promise<PkiFiles> {
  const plan = planSharedCertificates({ cluster, existing, now: context.now });
  refuseInvalid(plan, false);
  const files = keep(plan, existing);
  const missing = new Set(plan.filter((entry) => entry.standing === 'missing').map((entry) => entry.name));
  await Promise.all([
    ...authoritiesOf(cluster)
      .filter((row) => missing.has(row.name))
      .map(async (row) => {
        const validityMs = durationMs(cluster.caCertificateValidityPeriod);
        const spec = { commonName: row.commonName, algorithm: cluster.encryptionAlgorithm, validityMs };
        addPair(files, certificatePaths(cluster, row), await createAuthority(spec, context));
      }),
    missing.has('sa') ? addServiceAccount(files, cluster, existing, context) : undefined,
  ]);
  return files;
}

/**
 * What one control plane has for itself: leaf certificates with keys, and kubeconfigs, complete, existing
 * files unchanged and missing ones issued by the authorities in `existing` (which `issueClusterPki` made, or
 * which came from another control plane). Throws PKI with the findings where something exists and is wrong,
 * or is missing and can't be signed.
 */
export async function issueHostPki(input: HostPkiInput): Promise<PkiFiles> {
  const { cluster, existing = new Map(), context } = input;
  const all = planCertificates({ ...input, existing, now: context.now });
  const plan = all.filter((entry) => entry.kind === 'leaf' || entry.kind === 'kubeconfig');
  const reissue = input.reissueForSans ?? false;
  refuseInvalid(all, reissue);
  const files = keep(plan, existing);
  const wanted = new Set(
    plan
      .filter((entry) => entry.standing === 'missing' || (reissue && entry.sansDiffer))
      .map((entry) => entry.name),
  );
  if (input.followEndpoint === true) pointToEndpoint(plan, input, files);
  const leaves = leavesOf(cluster, input.host.role).filter((row) => wanted.has(row.name));
  const kubeconfigs = KUBECONFIGS.filter((row) => wanted.has(row.name));
  const names = new Set<AuthorityName>(leaves.map((row) => row.authority));
  if (kubeconfigs.length > 0) names.add('ca');
  const authorities = await openAuthorities(cluster, existing, names);
  await Promise.all([
    ...leaves.map(async (row) => {
      const pair = await issueLeaf(row, input, authorityNamed(authorities, row.authority), context);
      addPair(files, certificatePaths(cluster, row), pair);
    }),
    ...kubeconfigs.map(async (row) => {
      const text = await issueKubeconfig(row, input, authorityNamed(authorities, 'ca'), context);
      files.set(kubeconfigPath(row), { content: Buffer.from(text), mode: SECRET_MODE });
    }),
  ]);
  return files;
}

function pointToEndpoint(plan: readonly PkiEntry[], input: HostPkiInput, files: PkiFiles): void {
  const moved = new Set(plan.filter((entry) => entry.serverDiffers).map((entry) => entry.name));
  for (const row of KUBECONFIGS.filter(({ name }) => moved.has(name))) {
    const path = kubeconfigPath(row);
    const text = input.existing?.get(path)?.toString() ?? '';
    files.set(path, { content: Buffer.from(withServer(text, path, row.server(input))), mode: SECRET_MODE });
  }
}

/** One leaf of the table. */
export function issueLeaf(
  row: LeafRow,
  scope: PkiScope,
  authority: Authority,
  context: IssueContext,
): Promise<CertAndKey> {
  const spec = {
    commonName: row.commonName(scope),
    organizations: row.organizations(scope),
    usages: row.usages,
    sans: row.sans(scope),
    algorithm: scope.cluster.encryptionAlgorithm,
    validityMs: durationMs(scope.cluster.certificateValidityPeriod),
    notBefore: 'backdated',
  } as const;
  return createLeaf(spec, authority, context);
}

/** One kubeconfig of the table, as YAML, with a fresh client certificate embedded. */
async function issueKubeconfig(
  row: KubeconfigRow,
  scope: PkiScope,
  authority: Authority,
  context: IssueContext,
): Promise<string> {
  const userName = row.user(scope);
  const user = await createLeaf(
    {
      commonName: userName,
      organizations: row.organizations,
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
      algorithm: scope.cluster.encryptionAlgorithm,
      validityMs: durationMs(scope.cluster.certificateValidityPeriod),
      notBefore: 'authority',
    },
    authority,
    context,
  );
  const { clusterName } = scope.cluster;
  return kubeconfigText({ clusterName, server: row.server(scope), caPem: authority.certPem, userName, user });
}

/** The contents of files, as `existing` of a later step. */
export function contentsOf(files: PkiFiles): Map<string, Buffer> {
  return new Map([...files].map(([path, file]) => [path, file.content]));
}

async function openAuthorities(
  cluster: ClusterConfiguration,
  existing: ExistingFiles,
  names: ReadonlySet<AuthorityName>,
): Promise<Map<AuthorityName, Authority>> {
  const rows = authoritiesOf(cluster).filter((row) => names.has(row.name));
  const opened = rows.map(async (row): Promise<[AuthorityName, Authority]> => {
    const paths = certificatePaths(cluster, row);
    const certPem = existing.get(paths.cert)?.toString();
    if (certPem === undefined) {
      throw new KeelsonError('PKI', `${paths.cert} is missing`, { hint: 'make the authorities first' });
    }
    return [
      row.name,
      await openAuthority({ certPem, keyPem: existing.get(paths.key)?.toString() ?? null }, paths),
    ];
  });
  return new Map(await Promise.all(opened));
}

function authorityNamed(authorities: ReadonlyMap<AuthorityName, Authority>, name: AuthorityName): Authority {
  const authority = authorities.get(name);
  if (!authority) throw new KeelsonError('BUG', `authority ${name} was not opened`);
  return authority;
}

async function addServiceAccount(
  files: PkiFiles,
  cluster: ClusterConfiguration,
  existing: ExistingFiles,
  context: IssueContext,
): Promise<void> {
  const paths = serviceAccountPaths(cluster);
  const given = existing.get(paths.key);
  const key = given
    ? parsePrivateKey(given.toString(), paths.key)
    : await (context.generateKey ?? generateKey)(cluster.encryptionAlgorithm);
  files.set(paths.key, { content: given ?? Buffer.from(privateKeyPem(key)), mode: SECRET_MODE });
  files.set(paths.pub, { content: Buffer.from(publicKeyPem(createPublicKey(key))), mode: SECRET_MODE });
}

function addPair(files: PkiFiles, paths: { cert: string; key: string }, pair: CertAndKey): void {
  files.set(paths.cert, { content: Buffer.from(pair.certPem), mode: CERTIFICATE_MODE });
  files.set(paths.key, { content: Buffer.from(pair.keyPem), mode: SECRET_MODE });
}

function keep(plan: readonly PkiEntry[], existing: ExistingFiles): PkiFiles {
  const files: PkiFiles = new Map();
  for (const path of plan.flatMap((entry) => entry.paths)) {
    const content = existing.get(path);
    const mode = path.endsWith('.crt') ? CERTIFICATE_MODE : SECRET_MODE;
    if (content) files.set(path, { content, mode });
  }
  return files;
}

function refuseInvalid(plan: readonly PkiEntry[], reissueForSans: boolean): void {
  const bad = plan.filter((entry) => entry.standing === 'invalid' && !(reissueForSans && entry.sansDiffer));
  const findings = bad.flatMap((entry) => entry.findings.filter(isError));
  const [first] = findings;
  if (!first) return;
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  throw new KeelsonError('PKI', `${first.path} ${first.message}${more}`, {
    hint: first.remedy,
    details: findings,
  });
}
