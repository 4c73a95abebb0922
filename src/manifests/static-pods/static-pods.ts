import type { Pod } from 'kubernetes-types/core/v1.js';
import { memberSettings } from '../../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { type EtcdMembership, etcdPod } from './etcd.js';
import { apiServerPod } from './kube-apiserver.js';
import { controllerManagerPod } from './kube-controller-manager.js';
import { schedulerPod } from './kube-scheduler.js';
import type { HostSurroundings } from './pod.js';

export const STATIC_POD_DIRECTORY = '/etc/kubernetes/manifests';

export type StaticPodName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/**
 * The static pods of a control plane by name, before patches; etcd only where it is stacked. On a host of role
 * etcd it is the only one.
 * @throws KeelsonError CONFIG if the feature gate RootlessControlPlane is on: its users would have to be
 * made on each host first
 */
export function staticPods(
  config: ClusterConfig,
  host: ResolvedHost,
  options: HostSurroundings & EtcdMembership,
): Map<StaticPodName, Pod> {
  if (config.cluster.featureGates?.RootlessControlPlane) {
    throw new KeelsonError('CONFIG', 'the feature gate RootlessControlPlane is not supported', {
      hint: 'remove featureGates.RootlessControlPlane from the ClusterConfiguration',
    });
  }
  const pods = new Map<StaticPodName, Pod>();
  if (memberSettings(config.cluster, host) !== undefined) pods.set('etcd', etcdPod(config, host, options));
  if (host.role === 'etcd') return pods;
  pods.set('kube-apiserver', apiServerPod(config, host, options));
  pods.set('kube-controller-manager', controllerManagerPod(config, host, options));
  pods.set('kube-scheduler', schedulerPod(config, host, options));
  return pods;
}
