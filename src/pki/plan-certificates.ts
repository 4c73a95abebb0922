import { createPublicKey } from 'node:crypto';
import type { Role } from '../config/types.js';
import { checkKubeconfig } from './check-kubeconfig.js';
import { attempt, checkLeaf, checkPeriod } from './check-leaf.js';
import { type Finding, finding, isError } from './findings.js';
import { inspectBundle } from './inspect.js';
import { parsePrivateKey, publicKeyPem } from './keys.js';
import {
  type AuthorityName,
  type AuthorityRow,
  authoritiesOf,
  certificatePaths,
  FIRST_KUBECONFIGS,
  hasClusterIdentity,
  KUBECONFIGS,
  type KubeconfigName,
  type KubeconfigRow,
  keyIsElsewhere,
  kubeconfigPath,
  type LeafName,
  type LeafRow,
  leavesOf,
  type PkiScope,
  serviceAccountPaths,
} from './table.js';

/** Files as they are, by absolute path; what is not in it does not exist. */
export type ExistingFiles = ReadonlyMap<string, Buffer>;

export interface PkiEntry {
  name: AuthorityName | LeafName | KubeconfigName | 'sa';
  kind: 'authority' | 'leaf' | 'service-account' | 'kubeconfig';
  /** Absolute paths, certificate before key. */
  paths: readonly string[];
  /** `ok`: keep; `missing`: issue; `invalid`: the user has to decide, see `findings`. */
  standing: 'ok' | 'missing' | 'invalid';
  /** Nothing is wrong but lacking names: issuing the certificate anew cures it. */
  sansDiffer: boolean;
  /** A kubeconfig that can stay, but for its server: another endpoint is named in it than the cluster has. */
  serverDiffers: boolean;
  /** Authorities only: the key is kept elsewhere, so nothing can be signed here. */
  external: boolean;
  findings: readonly Finding[];
}

export interface PlanInput extends PkiScope {
  existing: ExistingFiles;
  now: Date;
  /** Default: those of the first control plane. [] for none. */
  kubeconfigs?: readonly KubeconfigName[];
}

/** The standing of everything in the table: authorities, service-account keys, leaves, kubeconfigs, in this order. */
export function planCertificates(input: PlanInput): PkiEntry[] {
  const shared = planSharedCertificates(input, input.host.role);
  const external = new Set(shared.filter((entry) => entry.external).map((entry) => entry.name));
  const { role } = input.host;
  const wanted = hasClusterIdentity(role) ? (input.kubeconfigs ?? FIRST_KUBECONFIGS) : [];
  return [
    // Of an authority that is kept elsewhere, the certificate is all that the host gets.
    ...shared.map((own) =>
      keyIsElsewhere(input.cluster, role, own.name) ? { ...own, paths: own.paths.slice(0, 1) } : own,
    ),
    ...leavesOf(input.cluster, role).map((row) => planLeaf(row, input, external.has(row.authority))),
    ...KUBECONFIGS.filter((row) => wanted.includes(row.name)).map((row) =>
      planKubeconfig(row, input, external.has('ca')),
    ),
  ];
}

/** The standing of what all hosts of a role share: authorities and service-account keys. */
export function planSharedCertificates(
  input: Omit<PlanInput, 'host'>,
  role: Role = 'control-plane',
): PkiEntry[] {
  return [
    ...authoritiesOf(input.cluster, role).map((row) => planAuthority(row, input)),
    ...(hasClusterIdentity(role) ? [planServiceAccount(input)] : []),
  ];
}

function planAuthority(row: AuthorityRow, { cluster, existing, now }: Omit<PlanInput, 'host'>): PkiEntry {
  const { cert, key } = certificatePaths(cluster, row);
  const base = { name: row.name, kind: 'authority', paths: [cert, key] } as const;
  const certPem = existing.get(cert)?.toString();
  const keyPem = existing.get(key)?.toString();
  if (certPem === undefined) {
    return keyPem === undefined ? entry(base, 'missing') : entry(base, [certificateMissing(cert, key)]);
  }
  const bundle = attempt(() => inspectBundle(certPem, cert), cert);
  if ('failure' in bundle) return entry(base, [bundle.failure]);
  const info = bundle.value[0];
  const findings = checkPeriod(info, cert, now);
  if (!info.isAuthority) {
    findings.push(
      finding(
        'not-an-authority',
        cert,
        'is no certificate authority',
        'put the certificate of the authority there',
      ),
    );
  }
  if (row.name === 'ca' && keyPem !== undefined && bundle.value.length > 1) {
    findings.push(
      finding(
        'several-certificates',
        cert,
        `has ${bundle.value.length} certificates, and a controller manager signs with a file of one only`,
        `leave the certificate of ${key} alone in it: that of an intermediate authority is enough`,
        'warning',
      ),
    );
  }
  if (keyPem !== undefined) {
    const parsed = attempt(() => parsePrivateKey(keyPem, key), key);
    if ('failure' in parsed) findings.push(parsed.failure);
    else if (!info.x509.checkPrivateKey(parsed.value)) {
      findings.push(
        finding('key-differs', key, `is not the key of ${cert}`, 'put the matching pair in place'),
      );
    }
  }
  return { ...entry(base, findings), external: keyPem === undefined };
}

function planServiceAccount({ cluster, existing }: Omit<PlanInput, 'host'>): PkiEntry {
  const paths = serviceAccountPaths(cluster);
  const base = { name: 'sa', kind: 'service-account', paths: [paths.key, paths.pub] } as const;
  const keyPem = existing.get(paths.key)?.toString();
  const pubPem = existing.get(paths.pub)?.toString();
  if (keyPem === undefined) {
    if (pubPem === undefined) return entry(base, 'missing');
    const message = `is missing beside ${paths.pub}`;
    const remedy = `put the key there, or remove ${paths.pub} so that a new pair is made`;
    return entry(base, [finding('key-missing', paths.key, message, remedy)]);
  }
  const key = attempt(() => parsePrivateKey(keyPem, paths.key), paths.key);
  if ('failure' in key) return entry(base, [key.failure]);
  // The public half can be derived, so its absence is no decision of the user's.
  if (pubPem === undefined) return entry(base, 'missing');
  if (samePublicKey(pubPem, publicKeyPem(createPublicKey(key.value)))) return entry(base, 'ok');
  const remedy = `remove ${paths.pub} so that it is derived from the key`;
  return entry(base, [finding('key-differs', paths.pub, `is not the public half of ${paths.key}`, remedy)]);
}

function samePublicKey(pem: string, expected: string): boolean {
  try {
    return publicKeyPem(createPublicKey(pem)) === expected;
  } catch {
    return false;
  }
}

function planLeaf(row: LeafRow, input: PlanInput, external: boolean): PkiEntry {
  const { cluster, existing, now } = input;
  const { cert, key } = certificatePaths(cluster, row);
  const base = { name: row.name, kind: 'leaf', paths: [cert, key] } as const;
  const certPem = existing.get(cert)?.toString();
  const keyPem = existing.get(key)?.toString() ?? null;
  if (certPem === undefined) {
    if (keyPem !== null) return entry(base, [certificateMissing(cert, key)]);
    return external ? entry(base, [cannotSign(cert, caPath(row.authority, input))]) : entry(base, 'missing');
  }
  const authority = caPath(row.authority, input);
  const caPem = existing.get(authority)?.toString();
  if (caPem === undefined) return entry(base, [authorityMissing(cert, authority)]);
  const expected = {
    commonName: row.commonName(input),
    organizations: row.organizations(input),
    usages: row.usages,
    sans: row.sans(input),
  };
  const files = { certPem, keyPem, caPem, certPath: cert, keyPath: key, caPath: authority };
  return entry(base, checkLeaf(expected, files, now));
}

function planKubeconfig(row: KubeconfigRow, input: PlanInput, external: boolean): PkiEntry {
  const path = kubeconfigPath(row);
  const base = { name: row.name, kind: 'kubeconfig', paths: [path] } as const;
  const text = input.existing.get(path)?.toString();
  const ca = caPath('ca', input);
  if (text === undefined) return external ? entry(base, [cannotSign(path, ca)]) : entry(base, 'missing');
  const caPem = input.existing.get(ca)?.toString();
  if (caPem === undefined) return entry(base, [authorityMissing(path, ca)]);
  const expected = {
    server: row.server(input),
    identity: { commonName: row.user(input), organizations: row.organizations },
    caPem,
    caPath: ca,
  };
  const found = entry(base, checkKubeconfig(expected, text, path, input.now, input.existing));
  const elsewhere = found.findings.some((finding) => finding.code === 'server-differs');
  return { ...found, serverDiffers: row.atEndpoint && found.standing === 'ok' && elsewhere };
}

function caPath(name: AuthorityName, { cluster }: Pick<PlanInput, 'cluster'>): string {
  const row = authoritiesOf(cluster).find((candidate) => candidate.name === name);
  return certificatePaths(cluster, { baseName: row?.baseName ?? name }).cert;
}

type EntryBase = Pick<PkiEntry, 'name' | 'kind' | 'paths'>;

function entry(base: EntryBase, outcome: 'ok' | 'missing' | readonly Finding[]): PkiEntry {
  const findings = typeof outcome === 'string' ? [] : outcome;
  const errors = findings.filter(isError);
  return {
    ...base,
    standing: typeof outcome === 'string' ? outcome : errors.length > 0 ? 'invalid' : 'ok',
    sansDiffer: errors.length > 0 && errors.every((item) => item.code === 'sans-lacking'),
    serverDiffers: false,
    external: false,
    findings,
  };
}

function certificateMissing(cert: string, key: string): Finding {
  return finding('certificate-missing', cert, `is missing beside ${key}`, `put it there, or remove ${key}`);
}

function cannotSign(path: string, ca: string): Finding {
  const message = `is missing, and the key of ${ca} is not here to sign it`;
  return finding('authority-external', path, message, 'have the external authority sign it and put it there');
}

function authorityMissing(path: string, ca: string): Finding {
  const message = `exists, but ${ca} does not`;
  return finding(
    'authority-missing',
    path,
    message,
    `put the authority's files there, or remove ${path} too`,
  );
}
