import { stringify } from 'yaml';
import type {
  ClusterConfig,
  ClusterConfiguration,
  ComponentConfig,
  NodeRegistration,
  ResolvedHost,
  Timeouts,
} from '../../src/config/types.js';
import { TIMEOUTS } from '../unit/manifests/fixture.js';

/** Deep partial of objects; arrays are given whole. */
type Overrides<T> = {
  [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Overrides<T[K]> : T[K];
};

/** One control plane's configuration, said once for keelson and for kubeadm. */
export interface BuildOptions {
  kubernetesVersion: string;
  /** Laid over the defaults of ClusterConfiguration. `etcd.external` removes `etcd.local`. */
  cluster?: Overrides<Omit<ClusterConfiguration, 'etcd'>> & {
    etcd?: {
      local?: Partial<ClusterConfiguration['etcd']['local']>;
      external?: ClusterConfiguration['etcd']['external'];
    };
  };
  nodeRegistration?: Partial<NodeRegistration>;
  localAPIEndpoint?: { advertiseAddress: string; bindPort?: number };
  kubelet?: Record<string, unknown>;
  kubeProxy?: Record<string, unknown>;
  patchesDirectory?: string;
  /** Of InitConfiguration, laid over kubeadm's defaults. */
  timeouts?: Partial<Timeouts>;
}

/** The resolved configuration, with kubeadm's defaults filled in, and its one control plane. */
export function buildConfig(options: BuildOptions): { config: ClusterConfig; host: ResolvedHost } {
  const cluster = buildCluster(options);
  const endpoint = { bindPort: 6443, ...(options.localAPIEndpoint ?? { advertiseAddress: '10.88.0.11' }) };
  const host: ResolvedHost = {
    name: options.nodeRegistration?.name ?? 'cp1',
    role: 'control-plane',
    state: 'present',
    ssh: {
      address: endpoint.advertiseAddress,
      port: 22,
      user: 'root',
      knownHostsFiles: [],
      jumpHosts: [],
      agent: false,
      useSshConfig: false,
    },
    nodeIP: endpoint.advertiseAddress,
    labels: {},
    nodeRegistration: {
      name: 'cp1',
      criSocket: 'unix:///var/run/containerd/containerd.sock',
      imagePullPolicy: 'IfNotPresent',
      imagePullSerial: true,
      ...options.nodeRegistration,
    },
    localAPIEndpoint: endpoint,
    patchesDirectory: options.patchesDirectory ?? null,
  };
  const config: ClusterConfig = {
    name: 'test',
    file: null,
    spec: {
      network: { plugin: 'none' },
      bundle: null,
      runtime: { systemdCgroup: true, restrictOomScoreAdj: false },
      addons: [],
      endpoint: null,
      preparation: { packages: 'check', swap: 'check', selinux: 'check', firewall: 'check' },
      ignorePreflightErrors: [],
      distribution: 'direct',
      concurrency: 10,
    },
    hosts: [host],
    cluster,
    init: { bootstrapTokens: [], skipPhases: [], timeouts: { ...TIMEOUTS, ...options.timeouts } },
    joinTimeouts: TIMEOUTS,
    kubelet: kubeletDocument(options),
    kubeProxy: kubeProxyDocument(options),
    notes: [],
  };
  return { config, host };
}

/** The same as kubeadm's own documents: what the caller overrides, and nothing that kubeadm defaults. */
export function kubeadmYaml(options: BuildOptions): string {
  const { host } = buildConfig(options);
  const { name, criSocket, ...registration } = host.nodeRegistration;
  const documents: Record<string, unknown>[] = [
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'InitConfiguration',
      nodeRegistration: { name, criSocket, ...registration },
      localAPIEndpoint: host.localAPIEndpoint,
      ...(options.timeouts ? { timeouts: options.timeouts } : {}),
      ...(options.patchesDirectory ? { patches: { directory: options.patchesDirectory } } : {}),
    },
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: options.kubernetesVersion,
      ...options.cluster,
    },
  ];
  if (options.kubelet) documents.push(kubeletDocument(options));
  if (options.kubeProxy) documents.push(kubeProxyDocument(options));
  return documents.map((document) => stringify(document, { compat: 'yaml-1.1', lineWidth: 0 })).join('---\n');
}

/** The same as the one file that a user of keelson writes. */
export function keelsonYaml(options: BuildOptions): string {
  const { config, host } = buildConfig(options);
  const document = {
    apiVersion: 'keelson.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: config.name },
    spec: {
      hosts: [{ name: host.name, role: host.role, address: host.ssh.address }],
      network: { plugin: 'none' },
    },
  };
  return `${stringify(document, { compat: 'yaml-1.1' })}---\n${kubeadmYaml(options)}`;
}

function buildCluster({ kubernetesVersion, cluster = {} }: BuildOptions): ClusterConfiguration {
  const { etcd, networking, apiServer, controllerManager, scheduler, dns, proxy, ...rest } = cluster;
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    kubernetesVersion,
    clusterName: 'kubernetes',
    imageRepository: 'registry.k8s.io',
    certificatesDir: '/etc/kubernetes/pki',
    encryptionAlgorithm: 'RSA-2048',
    certificateValidityPeriod: '8760h0m0s',
    caCertificateValidityPeriod: '87600h0m0s',
    ...(rest as Partial<ClusterConfiguration>),
    networking: { dnsDomain: 'cluster.local', serviceSubnet: '10.96.0.0/12', ...networking },
    apiServer: { ...apiServer },
    controllerManager: { ...controllerManager },
    scheduler: { ...scheduler },
    etcd: etcd?.external
      ? { external: etcd.external }
      : { local: { dataDir: '/var/lib/etcd', ...etcd?.local } },
    dns: { ...dns },
    proxy: { ...proxy },
  };
}

function kubeletDocument({ kubelet }: BuildOptions): ComponentConfig {
  return { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...kubelet };
}

function kubeProxyDocument({ kubeProxy }: BuildOptions): ComponentConfig {
  return { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', ...kubeProxy };
}
