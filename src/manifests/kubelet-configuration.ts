import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import type { ClusterConfig } from '../config/types.js';
import { dnsServiceIP } from './addresses.js';
import {
  type ComponentShape,
  canonicalComponentConfig,
  configMapSignature,
  isUserSupplied,
} from './component-config.js';
import { isObject } from './json.js';
import { stringifyYaml } from './yaml.js';

/** Shape of kubelet.config.k8s.io/v1beta1 KubeletConfiguration, from its Go type in 1.34 to 1.36. */
const DURATIONS = [
  'authentication.webhook.cacheTTL',
  'authorization.webhook.cacheAuthorizedTTL',
  'authorization.webhook.cacheUnauthorizedTTL',
  'cpuManagerReconcilePeriod',
  'evictionPressureTransitionPeriod',
  'fileCheckFrequency',
  'httpCheckFrequency',
  'imageMaximumGCAge',
  'imageMinimumGCAge',
  'nodeStatusReportFrequency',
  'nodeStatusUpdateFrequency',
  'runtimeRequestTimeout',
  'shutdownGracePeriod',
  'shutdownGracePeriodCriticalPods',
  'streamingConnectionIdleTimeout',
  'syncFrequency',
  'volumeStatsAggPeriod',
] as const;

/** Zero values of the logging configuration that every component shares. */
export const LOGGING_ZERO = {
  flushFrequency: 0,
  options: { json: { infoBufferSize: '0' }, text: { infoBufferSize: '0' } },
  verbosity: 0,
} as const;

const SHAPE: ComponentShape = {
  zero: {
    ...Object.fromEntries(DURATIONS.filter((path) => !path.includes('.')).map((path) => [path, '0s'])),
    authentication: { anonymous: {}, webhook: { cacheTTL: '0s' }, x509: {} },
    authorization: { webhook: { cacheAuthorizedTTL: '0s', cacheUnauthorizedTTL: '0s' } },
    containerRuntimeEndpoint: '',
    crashLoopBackOff: {},
    logging: LOGGING_ZERO,
    memorySwap: {},
  },
  durations: [
    ...DURATIONS,
    'containerLogMonitorInterval',
    'cpuCFSQuotaPeriod',
    'crashLoopBackOff.maxContainerRestartPeriod',
    'logging.flushFrequency',
  ],
  omittedWhenZero: [
    ...[
      'address',
      'cgroupRoot',
      'configMapAndSecretChangeDetectionStrategy',
      'containerLogMaxSize',
      'contentType',
    ],
    ...['cpuManagerPolicy', 'hairpinMode', 'imagePullCredentialsVerificationPolicy', 'imageServiceEndpoint'],
    ...['kubeReservedCgroup', 'kubeletCgroups', 'memoryManagerPolicy', 'memoryReservationPolicy', 'podCIDR'],
    ...['podLogsDir', 'providerID', 'reservedSystemCPUs', 'showHiddenMetricsForVersion', 'staticPodURL'],
    ...['systemCgroups', 'systemReservedCgroup', 'tlsCertFile', 'tlsMinVersion', 'tlsPrivateKeyFile'],
    ...['topologyManagerPolicy', 'topologyManagerScope', 'volumePluginDir', 'memorySwap.swapBehavior'],
    ...['logging.format', 'logging.vmodule'],
    ...[
      'allowedUnsafeSysctls',
      'clusterDNS',
      'cpuManagerPolicyOptions',
      'enforceNodeAllocatable',
      'evictionHard',
    ],
    ...['evictionMinimumReclaim', 'evictionSoft', 'evictionSoftGracePeriod', 'featureGates', 'kubeReserved'],
    ...['preloadedImagesVerificationAllowlist', 'qosReserved', 'registerWithTaints', 'reservedMemory'],
    ...['shutdownGracePeriodByPodPriority', 'staticPodURLHeader', 'systemReserved', 'tlsCipherSuites'],
    ...['tlsCurvePreferences', 'topologyManagerPolicyOptions'],
    ...['enableContentionProfiling', 'kernelMemcgNotification', 'protectKernelDefaults', 'runOnce'],
    ...[
      'serverTLSBootstrap',
      'eventBurst',
      'evictionMaxPodGracePeriod',
      'kubeAPIBurst',
      'maxOpenFiles',
      'maxPods',
    ],
    ...['nodeLeaseDurationSeconds', 'podsPerCore', 'port', 'readOnlyPort', 'registryBurst'],
  ],
};

/** Where systemd-resolved keeps the resolvers that pods should use instead of its stub. */
const RESOLVED_CONFIG = '/run/systemd/resolve/resolv.conf';

export interface KubeletSurroundings {
  /** systemd-resolved runs on the host: kubeadm then points the kubelet past its stub resolver. */
  systemdResolved?: boolean;
}

/**
 * The KubeletConfiguration of the whole cluster: the user's document with kubeadm's defaults. What is
 * particular to a node is not in it.
 * @throws KeelsonError CONFIG for an invalid duration or service subnet
 */
export function clusterKubeletConfiguration(
  config: ClusterConfig,
  surroundings: KubeletSurroundings = {},
): Record<string, unknown> {
  const { networking, certificatesDir } = config.cluster;
  const given = config.kubelet;
  const { x509, anonymous, webhook, ...authentication } = section(given, 'authentication');
  const authorization = section(given, 'authorization');
  return canonicalComponentConfig(SHAPE, {
    ...given,
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    staticPodPath: given.staticPodPath || '/etc/kubernetes/manifests',
    clusterDNS: given.clusterDNS ?? [dnsServiceIP(networking.serviceSubnet)],
    clusterDomain: given.clusterDomain || networking.dnsDomain,
    authentication: {
      ...authentication,
      x509: { clientCAFile: section({ x509 }, 'x509').clientCAFile || `${certificatesDir}/ca.crt` },
      anonymous: { enabled: section({ anonymous }, 'anonymous').enabled ?? false },
      webhook: {
        ...section({ webhook }, 'webhook'),
        enabled: section({ webhook }, 'webhook').enabled ?? true,
      },
    },
    authorization: { ...authorization, mode: authorization.mode || 'Webhook' },
    healthzBindAddress: given.healthzBindAddress || '127.0.0.1',
    healthzPort: given.healthzPort ?? 10_248,
    rotateCertificates: true,
    cgroupDriver: given.cgroupDriver || 'systemd',
    ...(surroundings.systemdResolved ? { resolvConf: given.resolvConf ?? RESOLVED_CONFIG } : {}),
  });
}

/** ConfigMap kubelet-config, signed as kubeadm's own where the user gave no configuration. */
export function kubeletConfigMap(config: ClusterConfig, surroundings: KubeletSurroundings = {}): ConfigMap {
  const data = { kubelet: stringifyYaml(clusterKubeletConfiguration(config, surroundings)) };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'kubelet-config',
      namespace: 'kube-system',
      ...(isUserSupplied(config.kubelet) ? {} : { annotations: configMapSignature(data) }),
    },
    data,
  };
}

function section(config: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const value = config[key];
  return isObject(value) ? value : {};
}
