import { durationMs } from '../config/go-duration.js';
import type { ClusterConfiguration, ResolvedHost } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { issueHostPki, type PkiFiles } from './cluster-pki.js';
import { descendsFrom, inspectBundle } from './inspect.js';
import { type Authority, type CertAndKey, createLeaf, type IssueContext } from './issue.js';
import { readKubeconfig, withAuthorities } from './kubeconfig.js';
import { pemBlocks } from './pem.js';
import type { ExistingFiles } from './plan-certificates.js';
import type { Sans } from './san.js';
import {
  type AuthorityName,
  authoritiesOf,
  CERTIFICATE_MODE,
  certificatePaths,
  KUBECONFIGS,
  type KubeconfigName,
  kubeconfigPath,
  leavesOf,
  SECRET_MODE,
} from './table.js';

/** Who is trusted while an authority is replaced, and who signs. */
export interface RotationTrust {
  issuer: CertAndKey;
  /** Trusted beside the issuer. */
  also: readonly CertAndKey[];
}

/** The certificates of a trust as one PEM file, the issuer's first: whoever signs takes the first one. */
export function trustBundle({ issuer, also }: RotationTrust): string {
  return [issuer, ...also].map(({ certPem }) => pemBlocks(certPem, 'CERTIFICATE')[0] ?? '').join('');
}

/** Whether two PEM files hold the same certificates, in any order. */
export function sameCertificates(one: string, other: string): boolean {
  const prints = (pem: string) => [...new Set(fingerprints(pem))].sort().join();
  return prints(one) === prints(other);
}

/** Whether every certificate of `part` is in `whole`. */
export function holdsCertificates(whole: string, part: string): boolean {
  const there = new Set(fingerprints(whole));
  return fingerprints(part).every((print) => there.has(print));
}

function fingerprints(pem: string): string[] {
  if (pemBlocks(pem, 'CERTIFICATE').length === 0) return [];
  return inspectBundle(pem, 'a bundle').map(({ x509 }) => x509.fingerprint256);
}

/** Whether the first certificate of a PEM file was issued by this authority, at `now`. Throws PKI naming `path`. */
export function isIssuedBy(pem: string, authority: CertAndKey, path: string, now: Date): boolean {
  const [leaf, ...intermediates] = inspectBundle(pem, path);
  return descendsFrom(leaf, intermediates, inspectBundle(authority.certPem, 'the authority'), now);
}

export interface ReissueInput {
  cluster: ClusterConfiguration;
  host: ResolvedHost;
  /** The host's certificates, keys and kubeconfigs as they are. */
  existing: ExistingFiles;
  authority: AuthorityName;
  trust: RotationTrust;
  context: IssueContext;
}

/**
 * What a host with certificates of its own has to have under `trust`: the authority's certificate file with all
 * that is trusted, its key where the host has one, and whatever the authority signs, issued anew unless the issuer
 * signed it already. Kubeconfigs trust what is trusted. The same again for what it gave: nothing is issued twice.
 * @throws PKI where something else of the host's PKI is wrong
 */
export async function reissueHost(input: ReissueInput): Promise<PkiFiles> {
  const { cluster, host, existing, authority, trust, context } = input;
  const row = authoritiesOf(cluster, host.role).find(({ name }) => name === authority);
  if (row === undefined) throw new KeelsonError('BUG', `${host.name} has no ${authority}`);
  const ca = certificatePaths(cluster, row);
  const bundle = trustBundle(trust);
  const kept = new Map(existing);
  kept.set(ca.cert, Buffer.from(trust.issuer.certPem));
  kept.set(ca.key, Buffer.from(trust.issuer.keyPem));

  const leaves = leavesOf(cluster, host.role).filter((leaf) => leaf.authority === authority);
  for (const leaf of leaves) {
    const { cert, key } = certificatePaths(cluster, leaf);
    const pem = existing.get(cert)?.toString();
    if (pem !== undefined && isIssuedBy(pem, trust.issuer, cert, context.now)) continue;
    kept.delete(cert);
    kept.delete(key);
  }
  const kubeconfigs = authority === 'ca' ? embeddedIdentities(existing) : [];
  for (const path of kubeconfigs.map(pathOf)) {
    const text = withAuthorities(existing.get(path)?.toString() ?? '', path, bundle);
    const { certPem } = readKubeconfig(text, path);
    if (certPem !== null && isIssuedBy(certPem, trust.issuer, path, context.now))
      kept.set(path, Buffer.from(text));
    else kept.delete(path);
  }
  const issued = await issueHostPki({ cluster, host, existing: kept, context, kubeconfigs });

  const files: PkiFiles = new Map([[ca.cert, { content: Buffer.from(bundle), mode: CERTIFICATE_MODE }]]);
  if (existing.has(ca.key))
    files.set(ca.key, { content: Buffer.from(trust.issuer.keyPem), mode: SECRET_MODE });
  for (const path of leaves.flatMap((leaf) => Object.values(certificatePaths(cluster, leaf)))) {
    const file = issued.get(path);
    if (file !== undefined) files.set(path, file);
  }
  for (const path of kubeconfigs.map(pathOf)) {
    const text = issued.get(path)?.content.toString() ?? '';
    files.set(path, { content: Buffer.from(withAuthorities(text, path, bundle)), mode: SECRET_MODE });
  }
  return files;
}

/** Kubeconfigs of a host that have their client certificate in them; the kubelet's refers to a file. */
function embeddedIdentities(existing: ExistingFiles): KubeconfigName[] {
  return KUBECONFIGS.filter((row) => row.name !== 'kubelet' && existing.has(kubeconfigPath(row))).map(
    ({ name }) => name,
  );
}

function pathOf(name: KubeconfigName): string {
  const row = KUBECONFIGS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new KeelsonError('BUG', `there is no kubeconfig ${name}`);
  return kubeconfigPath(row);
}

/**
 * A certificate of a node's kubelet, with a key of its own: for serving where names and addresses are given, else
 * for the API.
 */
export function issueKubeletLeaf(
  cluster: ClusterConfiguration,
  node: string,
  sans: Sans | null,
  authority: Authority,
  context: IssueContext,
): Promise<CertAndKey> {
  const left = authority.certificate.notAfter.getTime() - context.now.getTime();
  return createLeaf(
    {
      commonName: `system:node:${node}`,
      organizations: ['system:nodes'],
      usages: [sans === null ? 'clientAuth' : 'serverAuth'],
      sans: sans ?? { dns: [], ips: [] },
      algorithm: cluster.encryptionAlgorithm,
      validityMs: Math.min(durationMs(cluster.certificateValidityPeriod), left),
      notBefore: 'backdated',
    },
    authority,
    context,
  );
}
