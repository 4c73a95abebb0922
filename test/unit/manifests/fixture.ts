import type { ClusterConfig, ResolvedHost } from '../../../src/config/types.js';

/** kubeadm's defaults. */
export const TIMEOUTS = {
  controlPlaneComponentHealthCheck: '4m0s',
  kubeletHealthCheck: '4m0s',
  kubernetesAPICall: '1m0s',
  etcdAPICall: '2m0s',
  tlsBootstrap: '5m0s',
  discovery: '5m0s',
  upgradeManifests: '5m0s',
};

/** A host with nothing special; control planes listen on their node address. */
export function host(
  name: string,
  role: ResolvedHost['role'],
  nodeIP: string,
  more: Partial<ResolvedHost> = {},
): ResolvedHost {
  return {
    name,
    role,
    state: 'present',
    ssh: {
      address: nodeIP,
      port: 22,
      user: 'root',
      knownHostsFiles: [],
      jumpHosts: [],
      agent: false,
      useSshConfig: false,
    },
    nodeIP,
    labels: {},
    nodeRegistration: {
      name,
      criSocket: 'unix:///run/containerd/containerd.sock',
      imagePullPolicy: 'IfNotPresent',
      imagePullSerial: true,
    },
    localAPIEndpoint: role === 'control-plane' ? { advertiseAddress: nodeIP, bindPort: 6443 } : null,
    patchesDirectory: null,
    ...more,
  };
}

export const CP1 = host('cp1', 'control-plane', '10.88.0.11');
export const CP2 = host('cp2', 'control-plane', '10.88.0.12');
export const W1 = host('w1', 'worker', '10.88.0.21');

/** Two control planes, one worker, flannel; `more` replaces whole top-level fields. */
export function config(
  more: Partial<ClusterConfig> = {},
  cluster: Partial<ClusterConfig['cluster']> = {},
): ClusterConfig {
  return {
    name: 'demo',
    file: null,
    spec: {
      network: {
        plugin: 'flannel',
        backend: 'vxlan',
        directRouting: true,
        port: 8472,
        vni: 1,
        nftables: false,
      },
      addons: [],
      endpoint: null,
      bundle: null,
      runtime: { systemdCgroup: true, restrictOomScoreAdj: false },
      preparation: { packages: 'check', swap: 'check', selinux: 'check', firewall: 'check' },
      ignorePreflightErrors: [],
      distribution: 'direct',
      concurrency: 10,
    },
    hosts: [CP1, CP2, W1],
    cluster: {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: 'v1.36.3',
      clusterName: 'kubernetes',
      imageRepository: 'registry.k8s.io',
      certificatesDir: '/etc/kubernetes/pki',
      encryptionAlgorithm: 'RSA-2048',
      certificateValidityPeriod: '8760h0m0s',
      caCertificateValidityPeriod: '87600h0m0s',
      networking: { dnsDomain: 'cluster.local', serviceSubnet: '10.96.0.0/12', podSubnet: '10.244.0.0/16' },
      apiServer: {},
      controllerManager: {},
      scheduler: {},
      etcd: { local: { dataDir: '/var/lib/etcd' } },
      dns: {},
      proxy: {},
      ...cluster,
    },
    init: { bootstrapTokens: [], skipPhases: [], timeouts: TIMEOUTS },
    joinTimeouts: TIMEOUTS,
    kubelet: { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
    kubeProxy: { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' },
    notes: [],
    ...more,
  };
}
