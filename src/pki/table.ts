import { memberAddress, memberSettings } from '../config/inventory.js';
import type { ClusterConfiguration, ResolvedHost, Role } from '../config/types.js';
import {
  clusterServerUrl,
  kubernetesServiceIp,
  localEndpoint,
  localServerUrl,
  parseHostPort,
} from './endpoint.js';
import { type Sans, toSans } from './san.js';

/** What certificates are made for: a cluster and one of its hosts, a control plane or one of role etcd. */
export interface PkiScope {
  cluster: ClusterConfiguration;
  host: ResolvedHost;
}

export type AuthorityName = 'ca' | 'front-proxy-ca' | 'etcd-ca';
export type LeafName =
  | 'apiserver'
  | 'apiserver-kubelet-client'
  | 'front-proxy-client'
  | 'etcd-server'
  | 'etcd-peer'
  | 'etcd-healthcheck-client'
  | 'apiserver-etcd-client';
export type KubeconfigName = 'admin' | 'super-admin' | 'kubelet' | 'controller-manager' | 'scheduler';

export type Usage = 'serverAuth' | 'clientAuth';

export interface AuthorityRow {
  name: AuthorityName;
  /** Below certificatesDir, without `.crt` and `.key`. */
  baseName: string;
  commonName: string;
}

export interface LeafRow {
  name: LeafName;
  baseName: string;
  authority: AuthorityName;
  commonName: (scope: PkiScope) => string;
  organizations: (scope: PkiScope) => readonly string[];
  usages: readonly Usage[];
  sans: (scope: PkiScope) => Sans;
}

export interface KubeconfigRow {
  name: KubeconfigName;
  /** In /etc/kubernetes. */
  file: string;
  user: (scope: PkiScope) => string;
  organizations: readonly string[];
  server: (scope: PkiScope) => string;
  /** Its server is the cluster's endpoint, and follows it. */
  atEndpoint: boolean;
}

/** Directory of kubeconfigs on a host. */
export const KUBERNETES_DIR = '/etc/kubernetes';

/** Base name of the service-account key pair, `.key` and `.pub`. */
const SERVICE_ACCOUNT_BASE = 'sa';

export const CERTIFICATE_MODE = 0o644;
/** Private keys, kubeconfigs, and sa.pub, which kubeadm writes with the same mode. */
export const SECRET_MODE = 0o600;

const CLUSTER_ADMINS = 'kubeadm:cluster-admins';
const NO_SANS: Sans = { dns: [], ips: [] };

const AUTHORITIES: readonly AuthorityRow[] = [
  { name: 'ca', baseName: 'ca', commonName: 'kubernetes' },
  { name: 'front-proxy-ca', baseName: 'front-proxy-ca', commonName: 'front-proxy-ca' },
  { name: 'etcd-ca', baseName: 'etcd/ca', commonName: 'etcd-ca' },
];

const LEAVES: readonly LeafRow[] = [
  {
    name: 'apiserver',
    baseName: 'apiserver',
    authority: 'ca',
    commonName: () => 'kube-apiserver',
    organizations: () => [],
    usages: ['serverAuth'],
    sans: apiServerSans,
  },
  {
    name: 'apiserver-kubelet-client',
    baseName: 'apiserver-kubelet-client',
    authority: 'ca',
    commonName: () => 'kube-apiserver-kubelet-client',
    // From 1.36 on this identity has a ClusterRoleBinding of its own in place of a group.
    organizations: ({ cluster }) => (minorOf(cluster.kubernetesVersion) >= 36 ? [] : [CLUSTER_ADMINS]),
    usages: ['clientAuth'],
    sans: () => NO_SANS,
  },
  {
    name: 'front-proxy-client',
    baseName: 'front-proxy-client',
    authority: 'front-proxy-ca',
    commonName: () => 'front-proxy-client',
    organizations: () => [],
    usages: ['clientAuth'],
    sans: () => NO_SANS,
  },
  {
    name: 'etcd-server',
    baseName: 'etcd/server',
    authority: 'etcd-ca',
    commonName: ({ host }) => host.nodeRegistration.name,
    organizations: () => [],
    usages: ['serverAuth', 'clientAuth'],
    sans: (scope) => etcdSans(scope, memberSettings(scope.cluster, scope.host)?.serverCertSANs ?? []),
  },
  {
    name: 'etcd-peer',
    baseName: 'etcd/peer',
    authority: 'etcd-ca',
    commonName: ({ host }) => host.nodeRegistration.name,
    organizations: () => [],
    usages: ['serverAuth', 'clientAuth'],
    sans: (scope) => etcdSans(scope, memberSettings(scope.cluster, scope.host)?.peerCertSANs ?? []),
  },
  {
    name: 'etcd-healthcheck-client',
    baseName: 'etcd/healthcheck-client',
    authority: 'etcd-ca',
    commonName: () => 'kube-etcd-healthcheck-client',
    organizations: () => [],
    usages: ['clientAuth'],
    sans: () => NO_SANS,
  },
  {
    name: 'apiserver-etcd-client',
    baseName: 'apiserver-etcd-client',
    authority: 'etcd-ca',
    commonName: () => 'kube-apiserver-etcd-client',
    organizations: () => [],
    usages: ['clientAuth'],
    sans: () => NO_SANS,
  },
];

/** Identities of a control plane. All are signed by the cluster CA for client authentication. */
export const KUBECONFIGS: readonly KubeconfigRow[] = [
  {
    name: 'admin',
    file: 'admin.conf',
    user: () => 'kubernetes-admin',
    organizations: [CLUSTER_ADMINS],
    server: clusterServerUrl,
    atEndpoint: true,
  },
  {
    name: 'super-admin',
    file: 'super-admin.conf',
    user: () => 'kubernetes-super-admin',
    organizations: ['system:masters'],
    server: clusterServerUrl,
    atEndpoint: true,
  },
  {
    name: 'kubelet',
    file: 'kubelet.conf',
    user: ({ host }) => `system:node:${host.nodeRegistration.name}`,
    organizations: ['system:nodes'],
    // A control plane's kubelet talks to the API server beside it, so that it never meets a newer or older one.
    server: ({ host }) => localServerUrl(host),
    atEndpoint: false,
  },
  {
    name: 'controller-manager',
    file: 'controller-manager.conf',
    user: () => 'system:kube-controller-manager',
    organizations: [],
    server: ({ host }) => localServerUrl(host),
    atEndpoint: false,
  },
  {
    name: 'scheduler',
    file: 'scheduler.conf',
    user: () => 'system:kube-scheduler',
    organizations: [],
    server: ({ host }) => localServerUrl(host),
    atEndpoint: false,
  },
];

/** Kubeconfigs that the first control plane gets. */
export const FIRST_KUBECONFIGS: readonly KubeconfigName[] = KUBECONFIGS.map((row) => row.name);

/** Kubeconfigs that a joining control plane gets; its kubelet.conf comes from TLS bootstrap. */
export const JOINING_KUBECONFIGS: readonly KubeconfigName[] = ['admin', 'controller-manager', 'scheduler'];

/** Certificates of etcd's that a client of it has. */
const ETCD_CLIENTS: readonly LeafName[] = ['apiserver-etcd-client'];

/** Etcd's certificates are keelson's to make: it is stacked, or runs on hosts of role etcd. */
const hasEtcd = ({ etcd }: ClusterConfiguration): boolean =>
  etcd.external === undefined || etcd.members !== undefined;

/**
 * The authorities whose certificates a host has; none for etcd where etcd is run elsewhere, only that one on
 * a host of role etcd.
 */
export function authoritiesOf(
  cluster: ClusterConfiguration,
  role: Role = 'control-plane',
): readonly AuthorityRow[] {
  if (role === 'etcd') return AUTHORITIES.filter((row) => row.name === 'etcd-ca');
  return hasEtcd(cluster) ? AUTHORITIES : AUTHORITIES.filter((row) => row.name !== 'etcd-ca');
}

/** The leaf certificates that a host has: etcd's own where a member runs, and its client's on control planes. */
export function leavesOf(cluster: ClusterConfiguration, role: Role = 'control-plane'): readonly LeafRow[] {
  const ofMember = (row: LeafRow) => row.authority === 'etcd-ca' && !ETCD_CLIENTS.includes(row.name);
  if (role === 'etcd') return LEAVES.filter(ofMember);
  if (cluster.etcd.external === undefined) return LEAVES;
  return LEAVES.filter((row) => (hasEtcd(cluster) ? !ofMember(row) : row.authority !== 'etcd-ca'));
}

/** An authority's key is no file of a control plane: etcd's stays on the hosts of role etcd. */
export function keyIsElsewhere(cluster: ClusterConfiguration, role: Role, name: string): boolean {
  return name === 'etcd-ca' && role === 'control-plane' && cluster.etcd.members !== undefined;
}

/** Service-account keys and identities for the API are a control plane's. */
export const hasClusterIdentity = (role: Role): boolean => role !== 'etcd';

/** Absolute paths of a certificate and its key. */
export function certificatePaths(
  cluster: Pick<ClusterConfiguration, 'certificatesDir'>,
  row: { baseName: string },
): { cert: string; key: string } {
  const base = `${cluster.certificatesDir}/${row.baseName}`;
  return { cert: `${base}.crt`, key: `${base}.key` };
}

/** Absolute paths of the service-account key pair. */
export function serviceAccountPaths(cluster: Pick<ClusterConfiguration, 'certificatesDir'>): {
  key: string;
  pub: string;
} {
  const base = `${cluster.certificatesDir}/${SERVICE_ACCOUNT_BASE}`;
  return { key: `${base}.key`, pub: `${base}.pub` };
}

/** Absolute path of a kubeconfig. */
export function kubeconfigPath(row: Pick<KubeconfigRow, 'file'>): string {
  return `${KUBERNETES_DIR}/${row.file}`;
}

/** Files that are the same on all hosts of a role: authorities with their keys, and the service-account keys. */
export function sharedPaths(cluster: ClusterConfiguration, role: Role = 'control-plane'): string[] {
  const { key, pub } = serviceAccountPaths(cluster);
  const authorities = authoritiesOf(cluster, role).flatMap((row) =>
    Object.values(certificatePaths(cluster, row)),
  );
  return [...authorities, ...(hasClusterIdentity(role) ? [key, pub] : [])];
}

/** Files that a host has for itself: leaves with their keys, and kubeconfigs. */
export function hostPaths(
  cluster: ClusterConfiguration,
  kubeconfigs: readonly KubeconfigName[] = FIRST_KUBECONFIGS,
  role: Role = 'control-plane',
): string[] {
  const leaves = leavesOf(cluster, role).flatMap((row) => Object.values(certificatePaths(cluster, row)));
  return [...leaves, ...KUBECONFIGS.filter((row) => kubeconfigs.includes(row.name)).map(kubeconfigPath)];
}

function apiServerSans({ cluster, host }: PkiScope): Sans {
  const { dnsDomain, serviceSubnet } = cluster.networking;
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  if (dnsDomain) service.push(`kubernetes.default.svc.${dnsDomain}`);
  return toSans([
    host.nodeRegistration.name,
    ...service,
    kubernetesServiceIp(serviceSubnet),
    localEndpoint(host).address,
    ...(cluster.controlPlaneEndpoint ? [parseHostPort(cluster.controlPlaneEndpoint).host] : []),
    ...(cluster.apiServer.certSANs ?? []),
  ]);
}

function etcdSans({ host }: PkiScope, extra: readonly string[]): Sans {
  return toSans([
    host.nodeRegistration.name,
    'localhost',
    host.localAPIEndpoint === null ? memberAddress(host) : localEndpoint(host).address,
    '127.0.0.1',
    '::1',
    ...extra,
  ]);
}

function minorOf(kubernetesVersion: string): number {
  return Number(/^v?1\.(\d+)/.exec(kubernetesVersion)?.[1] ?? Number.NaN);
}
