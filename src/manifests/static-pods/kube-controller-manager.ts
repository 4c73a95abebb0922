import type { Pod } from 'kubernetes-types/core/v1.js';
import { timeoutsOf } from '../../config/inventory.js';
import type { ClusterConfig, ClusterConfiguration, HostPathMount, ResolvedHost } from '../../config/types.js';
import { argumentsOf, lastArgument, mergeArguments } from '../component-arguments.js';
import { isAtLeast, kubernetesImage } from '../image-names.js';
import {
  componentPod,
  environment,
  type HostSurroundings,
  livenessProbe,
  PROBE_PORT,
  probeAddress,
  startupProbe,
} from './pod.js';
import { certificateMounts, directory, file, hostPathMounts } from './volumes.js';

const KUBECONFIG = '/etc/kubernetes/controller-manager.conf';
const FLEXVOLUME_DIRECTORY = '/usr/libexec/kubernetes/kubelet-plugins/volume/exec';

export function controllerManagerPod(
  config: ClusterConfig,
  host: ResolvedHost,
  surroundings: HostSurroundings,
): Pod {
  const { cluster } = config;
  const { extraArgs, extraEnvs, extraVolumes } = cluster.controllerManager;
  const endpoint = {
    host: probeAddress(lastArgument(extraArgs, 'bind-address') ?? '127.0.0.1'),
    scheme: 'HTTPS' as const,
  };
  const timeout = timeoutsOf(config, host).controlPlaneComponentHealthCheck;
  return componentPod({
    name: 'kube-controller-manager',
    image: kubernetesImage(cluster, 'kube-controller-manager'),
    command: [
      'kube-controller-manager',
      ...controllerManagerArguments(cluster, surroundings.externalCA ?? false),
    ],
    env: environment(surroundings.proxyEnvironment, extraEnvs),
    ports: [{ name: PROBE_PORT, containerPort: 10_257, protocol: 'TCP' }],
    probes: {
      liveness: livenessProbe(endpoint, '/healthz'),
      startup: startupProbe(endpoint, '/healthz', timeout),
    },
    requests: { cpu: '200m' },
    ...hostPathMounts([
      file('kubeconfig', KUBECONFIG),
      ...flexVolume(cluster),
      ...certificateMounts(cluster.certificatesDir, surroundings.caDirectories),
      ...(extraVolumes ?? []),
    ]),
  });
}

/** Until 1.35 kubeadm mounts the directory of FlexVolume drivers. */
function flexVolume(cluster: ClusterConfiguration): HostPathMount[] {
  if (isAtLeast(cluster.kubernetesVersion, '1.36')) return [];
  const path =
    lastArgument(cluster.controllerManager.extraArgs, 'flex-volume-plugin-dir') ?? FLEXVOLUME_DIRECTORY;
  return [directory('flexvolume-dir', path, false)];
}

function controllerManagerArguments(cluster: ClusterConfiguration, externalCA: boolean): string[] {
  const { certificatesDir, networking, clusterName } = cluster;
  const ca = `${certificatesDir}/ca.crt`;
  const defaults = argumentsOf({
    'bind-address': '127.0.0.1',
    'leader-elect': 'true',
    kubeconfig: KUBECONFIG,
    'authentication-kubeconfig': KUBECONFIG,
    'authorization-kubeconfig': KUBECONFIG,
    'client-ca-file': ca,
    'requestheader-client-ca-file': `${certificatesDir}/front-proxy-ca.crt`,
    'root-ca-file': ca,
    'service-account-private-key-file': `${certificatesDir}/sa.key`,
    'cluster-signing-cert-file': externalCA ? '' : ca,
    'cluster-signing-key-file': externalCA ? '' : `${certificatesDir}/ca.key`,
    'use-service-account-credentials': 'true',
    controllers: '*,bootstrapsigner,tokencleaner',
    ...(networking.podSubnet
      ? {
          'allocate-node-cidrs': 'true',
          'cluster-cidr': networking.podSubnet,
          'service-cluster-ip-range': networking.serviceSubnet,
        }
      : {}),
    ...(clusterName ? { 'cluster-name': clusterName } : {}),
  });
  return mergeArguments(defaults, cluster.controllerManager.extraArgs);
}
