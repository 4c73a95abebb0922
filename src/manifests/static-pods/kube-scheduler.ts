import type { Pod } from 'kubernetes-types/core/v1.js';
import { timeoutsOf } from '../../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../../config/types.js';
import { argumentsOf, lastArgument, mergeArguments } from '../component-arguments.js';
import { kubernetesImage } from '../image-names.js';
import {
  componentPod,
  environment,
  type HostSurroundings,
  livenessProbe,
  PROBE_PORT,
  probeAddress,
  readinessProbe,
  startupProbe,
} from './pod.js';
import { file, hostPathMounts } from './volumes.js';

const KUBECONFIG = '/etc/kubernetes/scheduler.conf';

export function schedulerPod(config: ClusterConfig, host: ResolvedHost, surroundings: HostSurroundings): Pod {
  const { cluster } = config;
  const { extraArgs, extraEnvs, extraVolumes } = cluster.scheduler;
  const endpoint = {
    host: probeAddress(lastArgument(extraArgs, 'bind-address') ?? '127.0.0.1'),
    scheme: 'HTTPS' as const,
  };
  const defaults = argumentsOf({
    'bind-address': '127.0.0.1',
    'leader-elect': 'true',
    kubeconfig: KUBECONFIG,
    'authentication-kubeconfig': KUBECONFIG,
    'authorization-kubeconfig': KUBECONFIG,
  });
  return componentPod({
    name: 'kube-scheduler',
    image: kubernetesImage(cluster, 'kube-scheduler'),
    command: ['kube-scheduler', ...mergeArguments(defaults, extraArgs)],
    env: environment(surroundings.proxyEnvironment, extraEnvs),
    ports: [{ name: PROBE_PORT, containerPort: 10_259, protocol: 'TCP' }],
    probes: {
      liveness: livenessProbe(endpoint, '/livez'),
      readiness: readinessProbe(endpoint, '/readyz'),
      startup: startupProbe(endpoint, '/livez', timeoutsOf(config, host).controlPlaneComponentHealthCheck),
    },
    requests: { cpu: '100m' },
    ...hostPathMounts([file('kubeconfig', KUBECONFIG), ...(extraVolumes ?? [])]),
  });
}
