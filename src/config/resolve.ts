import { endpointText, resolveEndpoint } from './endpoint.js';
import { normaliseGoDuration } from './go-duration.js';
import { memberEndpoints } from './inventory.js';
import { resolveAddons } from './resolve-addons.js';
import { resolveHosts } from './resolve-hosts.js';
import { resolveNetwork } from './resolve-network.js';
import type { ClusterInput } from './schema/cluster.js';
import type { ClusterConfigurationInput } from './schema/cluster-configuration.js';
import type { InitConfigurationInput } from './schema/init-configuration.js';
import type { Documents } from './schema/kinds.js';
import { absolutePath, type Surroundings } from './surroundings.js';
import type {
  BootstrapTokenSpec,
  ClusterConfig,
  ClusterConfiguration,
  ClusterSpec,
  ComponentConfig,
  LocalEtcd,
  ResolvedHost,
  Timeouts,
} from './types.js';

/** kubeadm's defaults (v1beta4 defaults.go and constants.go at v1.36.3). */
const TIMEOUTS: Timeouts = {
  controlPlaneComponentHealthCheck: '4m0s',
  kubeletHealthCheck: '4m0s',
  kubernetesAPICall: '1m0s',
  etcdAPICall: '2m0s',
  tlsBootstrap: '5m0s',
  discovery: '5m0s',
  upgradeManifests: '5m0s',
};

/** Argument of API servers: by whom kubelets' serving certificates have to be signed. */
const KUBELET_AUTHORITY = 'kubelet-certificate-authority';
const TOKEN_GROUPS = ['system:bootstrappers:kubeadm:default-node-token'];
const TOKEN_USAGES = ['signing', 'authentication'];

/** The configuration that valid documents mean, with all defaults. */
export function resolveConfig(
  documents: Documents & { Cluster: ClusterInput; ClusterConfiguration: ClusterConfigurationInput },
  around: Surroundings,
  notes: readonly string[],
): ClusterConfig {
  const { Cluster, ClusterConfiguration, InitConfiguration, JoinConfiguration } = documents;
  const kubelet = component(
    documents.KubeletConfiguration,
    'kubelet.config.k8s.io/v1beta1',
    'KubeletConfiguration',
  );
  const initTimeouts = mergeTimeouts(TIMEOUTS, InitConfiguration?.timeouts);
  const hosts = resolveHosts(documents, around);
  const local = hosts.find((host) => host.state === 'present' && host.localAPIEndpoint !== null);
  const endpoint = resolveEndpoint(
    Cluster.spec.endpoint,
    ClusterConfiguration,
    local?.localAPIEndpoint?.advertiseAddress ?? '',
    local?.localAPIEndpoint?.bindPort ?? 0,
  );
  const cluster = checkingKubelets(resolveCluster(ClusterConfiguration, hosts), kubelet);
  return {
    name: Cluster.metadata.name,
    file: around.file,
    spec: { ...resolveSpec(Cluster, kubelet, around), endpoint },
    hosts,
    cluster:
      endpoint === null || cluster.controlPlaneEndpoint !== undefined
        ? cluster
        : { ...cluster, controlPlaneEndpoint: endpointText(endpoint) },
    init: {
      bootstrapTokens: (InitConfiguration?.bootstrapTokens ?? []).map(resolveToken),
      ...given('certificateKey', InitConfiguration?.certificateKey),
      skipPhases: InitConfiguration?.skipPhases ?? [],
      timeouts: initTimeouts,
    },
    joinTimeouts: mergeTimeouts(initTimeouts, JoinConfiguration?.timeouts),
    kubelet,
    kubeProxy: component(
      documents.KubeProxyConfiguration,
      'kubeproxy.config.k8s.io/v1alpha1',
      'KubeProxyConfiguration',
    ),
    notes,
  };
}

/** `{[key]: value}`, or nothing where the value is missing or empty. */
function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined || value === '' ? {} : ({ [key]: value } as Record<K, V>);
}

/** The object without fields that are undefined. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}

function resolveCluster(
  input: ClusterConfigurationInput,
  hosts: readonly ResolvedHost[],
): ClusterConfiguration {
  const { dns, proxy, etcd, networking } = input;
  const certificatesDir = input.certificatesDir || '/etc/kubernetes/pki';
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    kubernetesVersion: input.kubernetesVersion.startsWith('v')
      ? input.kubernetesVersion
      : `v${input.kubernetesVersion}`,
    clusterName: input.clusterName || 'kubernetes',
    ...given('controlPlaneEndpoint', input.controlPlaneEndpoint),
    imageRepository: input.imageRepository || 'registry.k8s.io',
    certificatesDir,
    encryptionAlgorithm: input.encryptionAlgorithm || 'RSA-2048',
    certificateValidityPeriod: normaliseGoDuration(input.certificateValidityPeriod || '8760h0m0s'),
    caCertificateValidityPeriod: normaliseGoDuration(input.caCertificateValidityPeriod || '87600h0m0s'),
    networking: {
      dnsDomain: networking?.dnsDomain || 'cluster.local',
      serviceSubnet: networking?.serviceSubnet || '10.96.0.0/12',
      ...given('podSubnet', networking?.podSubnet),
    },
    apiServer: defined(input.apiServer ?? {}) as ClusterConfiguration['apiServer'],
    controllerManager: defined(input.controllerManager ?? {}) as ClusterConfiguration['controllerManager'],
    scheduler: defined(input.scheduler ?? {}) as ClusterConfiguration['scheduler'],
    etcd: withoutUnknown(resolveEtcd(etcd, hosts, certificatesDir), input.kubernetesVersion),
    dns: defined(dns ?? {}) as ClusterConfiguration['dns'],
    proxy: defined(proxy ?? {}) as ClusterConfiguration['proxy'],
    ...given('featureGates', input.featureGates),
  };
}

/**
 * Where kubelets ask the cluster for their serving certificates, API servers check them, unless the file says what
 * they check with. An empty value is none.
 */
function checkingKubelets(cluster: ClusterConfiguration, kubelet: ComponentConfig): ClusterConfiguration {
  const { extraArgs = [] } = cluster.apiServer;
  const asked = kubelet.serverTLSBootstrap === true && (kubelet.tlsCertFile ?? '') === '';
  if (!asked || extraArgs.some(({ name }) => name === KUBELET_AUTHORITY)) return cluster;
  const check = { name: KUBELET_AUTHORITY, value: `${cluster.certificatesDir}/ca.crt` };
  return { ...cluster, apiServer: { ...cluster.apiServer, extraArgs: [...extraArgs, check] } };
}

/** kubeadm of v1.34 has no httpEndpoints. */
function withoutUnknown(
  etcd: ClusterConfiguration['etcd'],
  kubernetesVersion: string,
): ClusterConfiguration['etcd'] {
  if (etcd.external === undefined || !/^v?1\.34\./.test(kubernetesVersion)) return etcd;
  const { httpEndpoints: _, ...external } = etcd.external;
  return { ...etcd, external };
}

function resolveEtcd(
  etcd: ClusterConfigurationInput['etcd'],
  hosts: readonly ResolvedHost[],
  certificatesDir: string,
): ClusterConfiguration['etcd'] {
  const external = etcd?.external;
  if (external !== undefined) {
    const { endpoints, caFile = '', certFile = '', keyFile = '' } = external;
    const httpEndpoints = external.httpEndpoints?.length ? external.httpEndpoints : [...endpoints];
    return { external: { endpoints, caFile, certFile, keyFile, httpEndpoints } };
  }
  const local = defined(etcd?.local ?? {}) as Partial<LocalEtcd>;
  const settings = { ...local, dataDir: local.dataDir || '/var/lib/etcd' };
  const endpoints = memberEndpoints(hosts);
  if (endpoints.length === 0) return { local: settings };
  return {
    external: {
      endpoints,
      // Where kubeadm's guide to an external etcd puts them.
      caFile: `${certificatesDir}/etcd/ca.crt`,
      certFile: `${certificatesDir}/apiserver-etcd-client.crt`,
      keyFile: `${certificatesDir}/apiserver-etcd-client.key`,
      httpEndpoints: [...endpoints],
    },
    members: settings,
  };
}

function resolveSpec(
  { spec }: ClusterInput,
  kubelet: ComponentConfig,
  around: Surroundings,
): Omit<ClusterSpec, 'endpoint'> {
  return {
    network: resolveNetwork(spec.network, around),
    addons: resolveAddons(spec.addons, around),
    ...resolveBundle(spec.bundle, around),
    ...(spec.mirrors === undefined ? {} : { mirrors: absolutePath(spec.mirrors, around) }),
    runtime: {
      systemdCgroup: spec.runtime?.systemdCgroup ?? kubelet.cgroupDriver !== 'cgroupfs',
      restrictOomScoreAdj: spec.runtime?.restrictOomScoreAdj ?? false,
    },
    preparation: {
      packages: spec.preparation?.packages ?? 'check',
      swap: spec.preparation?.swap ?? 'check',
      selinux: spec.preparation?.selinux ?? 'check',
      firewall: spec.preparation?.firewall ?? 'check',
    },
    ...resolveTimer(spec.certificateTimer),
    ...(spec.externalEtcd === undefined ? {} : { externalEtcd: localFiles(spec.externalEtcd, around) }),
    ...(spec.etcdSnapshots === undefined
      ? {}
      : { etcdSnapshots: { ...SNAPSHOT_DEFAULTS, ...defined(spec.etcdSnapshots) } }),
    ignorePreflightErrors: spec.ignorePreflightErrors ?? [],
    distribution: spec.distribution ?? 'auto',
    concurrency: spec.concurrency ?? 20,
  };
}

function resolveTimer(
  input: ClusterInput['spec']['certificateTimer'],
): Pick<ClusterSpec, 'certificateTimer'> {
  if (input === undefined) return {};
  const { schedule = 'daily', warnDays = 30, metricsFile } = input;
  const metrics = metricsFile === undefined ? {} : { metricsFile };
  return { certificateTimer: { schedule, warnDays, ...metrics } };
}

const SNAPSHOT_DEFAULTS = { schedule: 'hourly', directory: '/var/backups/keelson', keep: 24 };

/** `spec.bundle` of a cluster that has no bundle; a directory of that name is `./online`. */
const ONLINE = 'online';

function resolveBundle(
  input: ClusterInput['spec']['bundle'],
  around: Surroundings,
): Pick<ClusterSpec, 'bundle' | 'bundlePublicKey'> {
  if (input === undefined) return { bundle: null };
  if (input === ONLINE) return { bundle: ONLINE };
  if (typeof input === 'string') return { bundle: absolutePath(input, around) };
  const { path, publicKey } = input;
  return {
    bundle: absolutePath(path, around),
    ...(publicKey === undefined ? {} : { bundlePublicKey: absolutePath(publicKey, around) }),
  };
}

function localFiles(
  { caFile, certFile, keyFile }: NonNullable<ClusterInput['spec']['externalEtcd']>,
  around: Surroundings,
): NonNullable<ClusterSpec['externalEtcd']> {
  return {
    caFile: absolutePath(caFile, around),
    certFile: absolutePath(certFile, around),
    keyFile: absolutePath(keyFile, around),
  };
}

function mergeTimeouts(defaults: Timeouts, input: InitConfigurationInput['timeouts']): Timeouts {
  const stated = Object.entries(input ?? {}).filter(([, value]) => typeof value === 'string' && value !== '');
  const merged = { ...defaults, ...Object.fromEntries(stated) } as Timeouts;
  return Object.fromEntries(
    Object.entries(merged).map(([name, value]) => [name, normaliseGoDuration(value)]),
  ) as unknown as Timeouts;
}

function resolveToken(
  input: NonNullable<InitConfigurationInput['bootstrapTokens']>[number],
): BootstrapTokenSpec {
  const { token, description, ttl, expires, usages, groups } = input;
  return {
    token,
    ...given('description', description),
    ...(expires ? { expires } : { ttl: normaliseGoDuration(ttl || '24h0m0s') }),
    usages: usages?.length ? usages : [...TOKEN_USAGES],
    groups: groups?.length ? groups : [...TOKEN_GROUPS],
  };
}

function component(input: object | undefined, apiVersion: string, kind: string): ComponentConfig {
  return { apiVersion, kind, ...input };
}
