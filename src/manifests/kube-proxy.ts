import { isIPv4 } from 'node:net';
import type { DaemonSet } from 'kubernetes-types/apps/v1.js';
import type { ConfigMap, EnvVar as PodEnv, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { ClusterRoleBinding, Role, RoleBinding } from 'kubernetes-types/rbac/v1.js';
import { firstControlPlane } from '../config/inventory.js';
import type { ClusterConfig, EnvVar } from '../config/types.js';
import { controlPlaneUrl } from './addresses.js';
import {
  type ComponentShape,
  canonicalComponentConfig,
  configMapSignature,
  isUserSupplied,
} from './component-config.js';
import { kubernetesImage } from './image-names.js';
import { isObject } from './json.js';
import { LOGGING_ZERO } from './kubelet-configuration.js';
import { BOOTSTRAPPERS, clusterRoleBinding, configMapReader, group } from './rbac.js';
import { environment } from './static-pods/pod.js';
import { stringifyYaml } from './yaml.js';

/** Shape of kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration, from its Go type in 1.34 to 1.36. */
const SHAPE: ComponentShape = {
  zero: {
    bindAddress: '',
    bindAddressHardFail: false,
    clientConnection: { acceptContentTypes: '', burst: 0, contentType: '', kubeconfig: '', qps: 0 },
    clusterCIDR: '',
    configSyncPeriod: '0s',
    conntrack: {
      maxPerCore: null,
      min: null,
      tcpBeLiberal: false,
      tcpCloseWaitTimeout: null,
      tcpEstablishedTimeout: null,
      udpStreamTimeout: '0s',
      udpTimeout: '0s',
    },
    detectLocal: { bridgeInterface: '', interfaceNamePrefix: '' },
    detectLocalMode: '',
    enableProfiling: false,
    healthzBindAddress: '',
    hostnameOverride: '',
    iptables: {
      localhostNodePorts: null,
      masqueradeAll: false,
      masqueradeBit: null,
      minSyncPeriod: '0s',
      syncPeriod: '0s',
    },
    ipvs: {
      excludeCIDRs: null,
      minSyncPeriod: '0s',
      scheduler: '',
      strictARP: false,
      syncPeriod: '0s',
      tcpFinTimeout: '0s',
      tcpTimeout: '0s',
      udpTimeout: '0s',
    },
    logging: LOGGING_ZERO,
    metricsBindAddress: '',
    mode: '',
    nftables: { masqueradeAll: false, masqueradeBit: null, minSyncPeriod: '0s', syncPeriod: '0s' },
    nodePortAddresses: null,
    oomScoreAdj: null,
    portRange: '',
    showHiddenMetricsForVersion: '',
    winkernel: {
      enableDSR: false,
      forwardHealthCheckVip: false,
      networkName: '',
      rootHnsEndpointName: '',
      sourceVip: '',
    },
  },
  durations: [
    'configSyncPeriod',
    ...['tcpCloseWaitTimeout', 'tcpEstablishedTimeout', 'udpStreamTimeout', 'udpTimeout'].map(
      (n) => `conntrack.${n}`,
    ),
    ...['iptables', 'ipvs', 'nftables'].flatMap((n) => [`${n}.minSyncPeriod`, `${n}.syncPeriod`]),
    ...['tcpFinTimeout', 'tcpTimeout', 'udpTimeout'].map((n) => `ipvs.${n}`),
    'logging.flushFrequency',
  ],
  omittedWhenZero: ['featureGates', 'windowsRunAsService', 'logging.format', 'logging.vmodule'],
};

const LABELS = { 'k8s-app': 'kube-proxy' };

/** The KubeProxyConfiguration with kubeadm's defaults. */
export function kubeProxyConfiguration(config: ClusterConfig): Record<string, unknown> {
  const given = config.kubeProxy;
  const { advertiseAddress } = firstControlPlane(config).localAPIEndpoint;
  const connection = isObject(given.clientConnection) ? given.clientConnection : {};
  return canonicalComponentConfig(SHAPE, {
    ...given,
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    bindAddress: given.bindAddress || (isIPv4(advertiseAddress) ? '0.0.0.0' : '::'),
    clusterCIDR: given.clusterCIDR || (config.cluster.networking.podSubnet ?? ''),
    clientConnection: {
      ...connection,
      kubeconfig: connection.kubeconfig || '/var/lib/kube-proxy/kubeconfig.conf',
    },
  });
}

/** ConfigMap kube-proxy, signed as kubeadm's own where the user gave no configuration. */
export function kubeProxyConfigMap(config: ClusterConfig): ConfigMap {
  const account = '/var/run/secrets/kubernetes.io/serviceaccount';
  const data = {
    'config.conf': stringifyYaml(kubeProxyConfiguration(config)).trimEnd(),
    'kubeconfig.conf': [
      'apiVersion: v1',
      'kind: Config',
      'clusters:',
      '- cluster:',
      `    certificate-authority: ${account}/ca.crt`,
      `    server: ${controlPlaneUrl(config)}`,
      '  name: default',
      'contexts:',
      '- context:',
      '    cluster: default',
      '    namespace: default',
      '    user: default',
      '  name: default',
      'current-context: default',
      'users:',
      '- name: default',
      '  user:',
      `    tokenFile: ${account}/token`,
    ].join('\n'),
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'kube-proxy',
      namespace: 'kube-system',
      labels: { app: 'kube-proxy' },
      ...(isUserSupplied(config.kubeProxy) ? {} : { annotations: configMapSignature(data) }),
    },
    data,
  };
}

/** @param proxyEnvironment `*_proxy` variables for the container */
function kubeProxyDaemonSet(config: ClusterConfig, proxyEnvironment: readonly EnvVar[] = []): DaemonSet {
  const env: PodEnv[] = [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }];
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'kube-proxy', namespace: 'kube-system', labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      updateStrategy: { type: 'RollingUpdate' },
      template: {
        metadata: { labels: LABELS },
        spec: {
          priorityClassName: 'system-node-critical',
          containers: [
            {
              name: 'kube-proxy',
              image: kubernetesImage(config.cluster, 'kube-proxy'),
              imagePullPolicy: 'IfNotPresent',
              command: [
                '/usr/local/bin/kube-proxy',
                '--config=/var/lib/kube-proxy/config.conf',
                '--hostname-override=$(NODE_NAME)',
              ],
              env: [...env, ...(environment(proxyEnvironment) ?? [])],
              securityContext: { privileged: true },
              volumeMounts: [
                { name: 'kube-proxy', mountPath: '/var/lib/kube-proxy' },
                { name: 'xtables-lock', mountPath: '/run/xtables.lock' },
                { name: 'lib-modules', mountPath: '/lib/modules', readOnly: true },
              ],
            },
          ],
          hostNetwork: true,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          serviceAccountName: 'kube-proxy',
          tolerations: [{ operator: 'Exists' }],
          volumes: [
            { name: 'kube-proxy', configMap: { name: 'kube-proxy' } },
            { name: 'xtables-lock', hostPath: { path: '/run/xtables.lock', type: 'FileOrCreate' } },
            { name: 'lib-modules', hostPath: { path: '/lib/modules' } },
          ],
        },
      },
    },
  };
}

export type KubeProxyObject =
  | ConfigMap
  | ServiceAccount
  | ClusterRoleBinding
  | Role
  | RoleBinding
  | DaemonSet;

/** Every object of the add-on, in the order in which they should be applied. */
export function kubeProxyObjects(
  config: ClusterConfig,
  proxyEnvironment: readonly EnvVar[] = [],
): KubeProxyObject[] {
  const account = { kind: 'ServiceAccount', name: 'kube-proxy', namespace: 'kube-system' };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'kube-proxy', namespace: 'kube-system' } },
    clusterRoleBinding('kubeadm:node-proxier', 'system:node-proxier', [account]),
    ...configMapReader('kube-proxy', 'kube-system', 'kube-proxy', [group(BOOTSTRAPPERS)]),
    kubeProxyConfigMap(config),
    kubeProxyDaemonSet(config, proxyEnvironment),
  ];
}
