import { controlPlanes as controlPlanesOf, etcdHosts } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { ReadRequest, ReadResult } from '../host/types.js';
import { contentsOf, issueClusterPki, issueHostPki, type PkiFiles } from '../pki/cluster-pki.js';
import { readKubeconfig } from '../pki/kubeconfig.js';
import { type PkiEntry, planCertificates } from '../pki/plan-certificates.js';
import {
  certificatePaths,
  FIRST_KUBECONFIGS,
  hostPaths,
  JOINING_KUBECONFIGS,
  KUBECONFIGS,
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
  /** The standing of every certificate, key and kubeconfig of such a host. */
  entries: (host: string) => PkiEntry[];
  /** Content of one file of such a host, issued at the first call where it is missing. */
  file: (host: string, path: string) => Promise<Buffer>;
  /** PEM of the cluster CA, or null while there is none. */
  caCertificate: () => string | null;
  /** PEM of the cluster CA, issued if need be. */
  ensureCa: () => Promise<string>;
  /** The strongest admin identity found or issued; null while there is none. */
  admin: () => Credentials | null;
}

export function trustStore(config: ClusterConfig, now: () => number): TrustStore {
  const { cluster } = config;
  const controlPlanes: readonly ResolvedHost[] = controlPlanesOf(config);
  const members = etcdHosts(config);
  const holders = [...controlPlanes, ...members];
  const first = controlPlanes[0];
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
  const etcdCa = members.length === 0 ? [] : sharedPaths(cluster, 'etcd');
  const roleOf = (name: string) => config.hosts.find((host) => host.name === name)?.role;
  const kubeconfigsOf = (name: string) => (name === first.name ? FIRST_KUBECONFIGS : JOINING_KUBECONFIGS);
  /** What hosts share: on the first control plane, and the etcd CA on whichever host of role etcd has it. */
  const sharedElsewhere = (path: string): Buffer | undefined => {
    const keepers = etcdCa.includes(path) ? members : controlPlanes.slice(0, 1);
    return keepers.map((host) => found.get(host.name)?.get(path)).find((content) => content !== undefined);
  };
  const existingOn = (name: string): Map<string, Buffer> => {
    const own = found.get(name) ?? new Map<string, Buffer>();
    if (name === first.name && members.length === 0) return own;
    const authorities = sharedPaths(cluster).flatMap((path): [string, Buffer][] => {
      const content = own.get(path) ?? sharedElsewhere(path);
      return content === undefined ? [] : [[path, content]];
    });
    return new Map([...own, ...authorities]);
  };
  const ensureShared = (): Promise<PkiFiles> => {
    shared ??= issueClusterPki({
      cluster,
      existing: existingOn(first.name),
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
        existing: new Map([...existingOn(name), ...contentsOf(common)]),
        context: { now: new Date(now()) },
        kubeconfigs: kubeconfigsOf(name),
        reissueForSans: true,
      });
      const all: PkiFiles = new Map([...common, ...own]);
      if (name === first.name) for (const [path, content] of contentsOf(all)) ready.set(path, content);
      return all;
    })();
    issued.set(name, making);
    return making;
  };
  const caPath = certificatePaths(cluster, { baseName: 'ca' }).cert;
  const onFirst = (path: string) => ready.get(path) ?? found.get(first.name)?.get(path);

  return {
    request: (name) => ({
      files: [
        ...sharedPaths(cluster, roleOf(name)),
        ...hostPaths(cluster, roleOf(name) === 'etcd' ? [] : kubeconfigsOf(name), roleOf(name)),
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
    entries: (name) =>
      planCertificates({
        cluster,
        host: named(name),
        existing: existingOn(name),
        now: new Date(now()),
        kubeconfigs: kubeconfigsOf(name),
      }),
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
    admin: () => {
      for (const name of ['super-admin', 'admin'] as const) {
        const row = KUBECONFIGS.find((candidate) => candidate.name === name);
        const text = row === undefined ? undefined : onFirst(kubeconfigPath(row))?.toString();
        if (text === undefined) continue;
        const view = readKubeconfig(text, name);
        if (view.caPem !== null && view.certPem !== null && view.keyPem !== null) {
          return { ca: view.caPem, cert: view.certPem, key: view.keyPem };
        }
      }
      return null;
    },
  };
}
