import type { ClusterConfiguration } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

/** kubeadm's default repository; only there CoreDNS has a folder of its own. */
const DEFAULT_REPOSITORY = 'registry.k8s.io';

export interface CompanionTags {
  etcd: string;
  coredns: string;
  pause: string;
}

/**
 * Tags of the images beside Kubernetes itself, by minor version, as the kubeadm of that version has them
 * (its constants DefaultEtcdVersion, CoreDNSVersion, PauseVersion in 1.36.3, 1.35.4 and 1.34.4).
 */
const COMPANIONS: Readonly<Record<string, CompanionTags>> = {
  '1.36': { etcd: '3.6.8-0', coredns: 'v1.14.2', pause: '3.10.2' },
  '1.35': { etcd: '3.6.6-0', coredns: 'v1.13.1', pause: '3.10.1' },
  '1.34': { etcd: '3.6.5-0', coredns: 'v1.12.1', pause: '3.10.1' },
};

/** `1.36` of `v1.36.3`. */
function minorVersion(kubernetesVersion: string): string {
  return /^v?(\d+\.\d+)\./.exec(kubernetesVersion)?.[1] ?? kubernetesVersion;
}

/** True from that minor version on; both as `1.36`. */
export function isAtLeast(kubernetesVersion: string, minor: string): boolean {
  const [major = 0, second = 0] = minorVersion(kubernetesVersion).split('.').map(Number);
  const [wantedMajor = 0, wantedSecond = 0] = minor.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && second >= wantedSecond);
}

/**
 * Default tags of etcd, CoreDNS and pause for a Kubernetes version.
 * @throws KeelsonError CONFIG for a minor version that keelson does not know
 */
export function companionTags(kubernetesVersion: string): CompanionTags {
  const tags = COMPANIONS[minorVersion(kubernetesVersion)];
  if (tags === undefined) {
    throw new KeelsonError('CONFIG', `Kubernetes ${kubernetesVersion} is not supported`, {
      hint: `choose a version of ${Object.keys(COMPANIONS).join(' or ')}`,
    });
  }
  return tags;
}

export type KubernetesComponent =
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kube-proxy';

/** Image of a component that Kubernetes releases itself. A `+` in the version becomes `_`. */
export function kubernetesImage(cluster: ClusterConfiguration, component: KubernetesComponent): string {
  return `${cluster.imageRepository}/${component}:${cluster.kubernetesVersion.replaceAll('+', '_')}`;
}

export function etcdImage(cluster: ClusterConfiguration): string {
  const settings = cluster.etcd.local ?? cluster.etcd.members;
  const repository = settings?.imageRepository || cluster.imageRepository;
  return `${repository}/etcd:${settings?.imageTag || companionTags(cluster.kubernetesVersion).etcd}`;
}

export function corednsImage(cluster: ClusterConfiguration): string {
  const repository = cluster.dns.imageRepository || cluster.imageRepository;
  const folder = repository === DEFAULT_REPOSITORY ? `${repository}/coredns` : repository;
  return `${folder}/coredns:${cluster.dns.imageTag || companionTags(cluster.kubernetesVersion).coredns}`;
}

export function pauseImage(cluster: ClusterConfiguration): string {
  return `${cluster.imageRepository}/pause:${companionTags(cluster.kubernetesVersion).pause}`;
}

/** Everything that kubeadm would pull on a control plane, in the order of `kubeadm config images list`. */
export function controlPlaneImages(cluster: ClusterConfiguration): string[] {
  return [
    kubernetesImage(cluster, 'kube-apiserver'),
    kubernetesImage(cluster, 'kube-controller-manager'),
    kubernetesImage(cluster, 'kube-scheduler'),
    ...(cluster.proxy.disabled ? [] : [kubernetesImage(cluster, 'kube-proxy')]),
    ...(cluster.dns.disabled ? [] : [corednsImage(cluster)]),
    pauseImage(cluster),
    ...(cluster.etcd.local ? [etcdImage(cluster)] : []),
  ];
}

/** What a worker needs before its first pod. CoreDNS may be scheduled to it. */
export function workerImages(cluster: ClusterConfiguration): string[] {
  return [
    ...(cluster.proxy.disabled ? [] : [kubernetesImage(cluster, 'kube-proxy')]),
    ...(cluster.dns.disabled ? [] : [corednsImage(cluster)]),
    pauseImage(cluster),
  ];
}
