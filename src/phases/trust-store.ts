import { X509Certificate } from 'node:crypto';
import { controlPlanes as controlPlanesOf, etcdHosts } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { ReadRequest, ReadResult } from '../host/types.js';
import { contentsOf, issueClusterPki, issueHostPki, type PkiFiles } from '../pki/cluster-pki.js';
import { type Authority, openAuthority } from '../pki/issue.js';
import { readKubeconfig } from '../pki/kubeconfig.js';
import { type PkiEntry, planCertificates } from '../pki/plan-certificates.js';
import {
  type AuthorityName,
  authoritiesOf,
  certificatePaths,
  FIRST_KUBECONFIGS,
  hostPaths,
  JOINING_KUBECONFIGS,
  KUBECONFIGS,
  type KubeconfigName,
  kubeconfigPath,
  sharedPaths,
} from '../pki/table.js';
import { KUBELET_CLIENT_CERTIFICATE } from './paths.js';

export interface Credentials {
  ca: string;
  cert: string;
  key: string;
}

/**
 * The cluster's certificates, keys and identities: what was found on the hosts, and what is issued where
 * something is missing. Lives in memory for one run and is never written on the operator's machine.
 */
export interface TrustStore {
  /** What a reader has to ask a control plane, or a host of role etcd, for. */
  request: (host: string) => ReadRequest;
  /** Takes what was found on such a host; of others nothing. */
  observed: (host: string, seen: ReadResult) => void;
  /** Forgets what was issued and made from what was found: the hosts have other files now, which are observed next. */
  forget: () => void;
  /** The standing of every certificate, key and kubeconfig of such a host. */
  entries: (host: string) => PkiEntry[];
  /** Content of one file of such a host, issued at the first call where it is missing. */
  file: (host: string, path: string) => Promise<Buffer>;
  /** PEM of the cluster CA, or null while there is none. */
  caCertificate: () => string | null;
  /** PEM of the cluster CA, issued if need be. */
  ensureCa: () => Promise<string>;
  /** Whether the key of an authority, which no host has, was brought. */
  keyAtHand: (name: AuthorityName) => boolean;
  /** An authority, by default the cluster CA, ready to sign; null where its key is kept elsewhere. */
  authority: (name?: AuthorityName) => Promise<Authority | null>;
  /** The strongest admin identity found or issued; null while there is none. */
  admin: () => Credentials | null;
}

/** An authority whose key is kept off the hosts, as whoever works on the cluster brought it. A secret. */
export interface AuthorityKey {
  /** The authority's certificate alone: by it the key is known for the cluster's. */
  certPem: string;
  keyPem: string;
}

export interface TrustOptions {
  /** Keys of authorities that the hosts do not have: they sign, and no host gets them. */
  keys?: readonly AuthorityKey[];
  /** The control plane whose authorities are the cluster's; default the first one of the file. */
  first?: string;
  /** The cluster runs already: its strongest identity, super-admin.conf, is not made again. */
  established?: boolean;
}

export function trustStore(config: ClusterConfig, now: () => number, options: TrustOptions = {}): TrustStore {
  const { cluster } = config;
  const controlPlanes: readonly ResolvedHost[] = controlPlanesOf(config);
  const members = etcdHosts(config);
  const holders = [...controlPlanes, ...members];
  const first = controlPlanes.find((host) => host.name === options.first) ?? controlPlanes[0];
  if (first === undefined) throw new KeelsonError('BUG', 'a cluster without a control plane');
  const found = new Map<string, Map<string, Buffer>>();
  const issued = new Map<string, Promise<PkiFiles>>();
  let shared: Promise<PkiFiles> | undefined;
  const ready = new Map<string, Buffer>();

  const named = (name: string): ResolvedHost => {
    const host = holders.find((candidate) => candidate.name === name);
    if (host === undefined) throw new KeelsonError('BUG', `${name} has no certificates`);
    return host;
  };
  const caPath = certificatePaths(cluster, { baseName: 'ca' }).cert;
  const superAdmin = pathOf('super-admin');
  const kubeconfigsOf = (name: string): readonly KubeconfigName[] => {
    const has = found.get(name)?.has(superAdmin) === true;
    // Where the cluster began, the file stays, whichever control plane is worked through now.
    if (name !== first.name) return has ? [...JOINING_KUBECONFIGS, 'super-admin'] : JOINING_KUBECONFIGS;
    const lost = options.established === true && !has;
    return lost ? FIRST_KUBECONFIGS.filter((row) => row !== 'super-admin') : FIRST_KUBECONFIGS;
  };
  const etcdCa = members.length === 0 ? [] : sharedPaths(cluster, 'etcd');
  const roleOf = (name: string) => config.hosts.find((host) => host.name === name)?.role;
  /**
   * A shared file as the first control plane has it, else as one with the same CA has it; etcd's CA as any
   * host of role etcd has it.
   */
  const sharedFile = (path: string): Buffer | undefined => {
    if (etcdCa.includes(path))
      return members.map(({ name }) => found.get(name)?.get(path)).find((content) => content !== undefined);
    const own = found.get(first.name);
    const content = own?.get(path);
    const ca = own?.get(caPath);
    if (content !== undefined || ca === undefined) return content;
    const others = [...found.values()].filter((files) => files.get(caPath)?.equals(ca));
    return others.find((files) => files.has(path))?.get(path);
  };
  const existingOn = (name: string): Map<string, Buffer> => {
    const own = found.get(name) ?? new Map<string, Buffer>();
    const authorities = sharedPaths(cluster).flatMap((path): [string, Buffer][] => {
      const content = own.get(path) ?? sharedFile(path);
      return content === undefined ? [] : [[path, content]];
    });
    return new Map([...own, ...authorities]);
  };
  /** Keys that were brought, of authorities whose certificates are among these files and whose keys are not; by path. */
  const brought = (files: ReadonlyMap<string, Buffer>): Map<string, Buffer> =>
    new Map(
      authoritiesOf(cluster).flatMap((row): [string, Buffer][] => {
        const paths = certificatePaths(cluster, row);
        const certPem = files.get(paths.cert)?.toString();
        if (certPem === undefined || files.has(paths.key)) return [];
        const own = (options.keys ?? []).find((pair) => isOf(certPem, pair));
        return own === undefined ? [] : [[paths.key, Buffer.from(own.keyPem)]];
      }),
    );
  const withBrought = (files: ReadonlyMap<string, Buffer>) => new Map([...files, ...brought(files)]);
  const ensureShared = (): Promise<PkiFiles> => {
    shared ??= issueClusterPki({
      cluster,
      existing: withBrought(existingOn(first.name)),
      context: { now: new Date(now()) },
    });
    return shared;
  };
  const ensureHost = (name: string): Promise<PkiFiles> => {
    const known = issued.get(name);
    if (known !== undefined) return known;
    const making = (async () => {
      const common = await ensureShared();
      const own = await issueHostPki({
        cluster,
        host: named(name),
        existing: new Map([...withBrought(existingOn(name)), ...contentsOf(common)]),
        context: { now: new Date(now()) },
        kubeconfigs: kubeconfigsOf(name),
        reissueForSans: true,
        followEndpoint: true,
      });
      const all: PkiFiles = new Map([...common, ...own]);
      if (name === first.name) for (const [path, content] of contentsOf(all)) ready.set(path, content);
      return all;
    })();
    issued.set(name, making);
    return making;
  };
  const requestedKubeconfigs = (name: string): readonly KubeconfigName[] => {
    if (roleOf(name) === 'etcd') return [];
    return name === first.name ? FIRST_KUBECONFIGS : [...JOINING_KUBECONFIGS, 'super-admin'];
  };
  const onFirst = (path: string) => ready.get(path) ?? found.get(first.name)?.get(path);

  return {
    request: (name) => ({
      files: [
        ...sharedPaths(cluster, roleOf(name)),
        ...hostPaths(cluster, requestedKubeconfigs(name), roleOf(name)),
        KUBELET_CLIENT_CERTIFICATE,
      ],
    }),
    observed: (name, seen) => {
      if (!holders.some((host) => host.name === name)) return;
      const contents = new Map<string, Buffer>();
      for (const [path, state] of seen.files)
        if (state.content !== undefined) contents.set(path, state.content);
      found.set(name, contents);
    },
    forget: () => {
      issued.clear();
      ready.clear();
      shared = undefined;
    },
    entries: (name) => {
      const existing = existingOn(name);
      const elsewhere = brought(existing);
      const entries = planCertificates({
        cluster,
        host: named(name),
        existing: new Map([...existing, ...elsewhere]),
        now: new Date(now()),
        kubeconfigs: kubeconfigsOf(name),
      });
      // What was brought signs, and is no file of a host.
      return entries.map((entry) =>
        entry.kind === 'authority' && entry.paths.some((path) => elsewhere.has(path))
          ? { ...entry, external: true }
          : entry,
      );
    },
    file: async (name, path) => {
      const file = (await ensureHost(name)).get(path);
      if (file === undefined) throw new KeelsonError('BUG', `${path} is no file of ${name}'s trust`);
      return file.content;
    },
    caCertificate: () => onFirst(caPath)?.toString() ?? null,
    ensureCa: async () => {
      const made = (await ensureShared()).get(caPath);
      if (made === undefined) throw new KeelsonError('BUG', 'no cluster CA was made');
      return made.content.toString();
    },
    keyAtHand: (authority) => {
      const row = authoritiesOf(cluster).find((candidate) => candidate.name === authority);
      return row !== undefined && brought(existingOn(first.name)).has(certificatePaths(cluster, row).key);
    },
    authority: async (authority = 'ca') => {
      const row = authoritiesOf(cluster).find((candidate) => candidate.name === authority);
      if (row === undefined) return null;
      const paths = certificatePaths(cluster, row);
      const made = await ensureShared();
      const certPem = made.get(paths.cert)?.content.toString();
      const keyPem = made.get(paths.key)?.content.toString();
      if (certPem === undefined || keyPem === undefined) return null;
      return openAuthority({ certPem, keyPem }, paths);
    },
    admin: () => {
      const own = adminIn(onFirst);
      if (own !== null) return own;
      const ca = onFirst(caPath)?.toString();
      const others = [...found.values()].map((files) => adminIn((path) => files.get(path)));
      return others.find((other) => other !== null && other.ca.trim() === ca?.trim()) ?? null;
    },
  };
}

/** Whether a certificate file begins with the certificate of this pair. One that can't be read is told of elsewhere. */
function isOf(certPem: string, pair: AuthorityKey): boolean {
  const print = (pem: string) => new X509Certificate(pem).fingerprint256;
  try {
    return print(certPem) === print(pair.certPem);
  } catch {
    return false;
  }
}

/** Path of a kubeconfig on a control plane. */
function pathOf(name: KubeconfigName): string {
  const row = KUBECONFIGS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new KeelsonError('BUG', `there is no kubeconfig ${name}`);
  return kubeconfigPath(row);
}

/** Files that an admin's identity may be in, the strongest first. */
export const ADMIN_FILES = [pathOf('super-admin'), pathOf('admin')];

/** The strongest admin identity among the files of one control plane; null where there is none. */
export function adminIn(file: (path: string) => Buffer | undefined): Credentials | null {
  for (const path of ADMIN_FILES) {
    const text = file(path)?.toString();
    if (text === undefined) continue;
    const view = readKubeconfig(text, path);
    if (view.caPem !== null && view.certPem !== null && view.keyPem !== null) {
      return { ca: view.caPem, cert: view.certPem, key: view.keyPem };
    }
  }
  return null;
}
