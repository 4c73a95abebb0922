import { KeelsonError } from '../errors/keelson-error.js';

/** Component versions that go with one Kubernetes version; each has a folder under `modules/` (pause has Kubernetes'). */
export interface Release {
  /** Image tag that kubeadm names, for example `3.6.8-0`; the module's version is `v3.6.8`. */
  etcd: string;
  coredns: string;
  pause: string;
  /** Tag of the probe image: Kubernetes' test/images/agnhost/VERSION. */
  agnhost: string;
  flannel: string;
  flannelCniPlugin: string;
  cniPlugins: string;
  containerd: string;
  runc: string;
}

/** Versions that kubeadm leaves open: network, runtime. */
const COMMON = {
  flannel: 'v0.28.10',
  flannelCniPlugin: 'v0.9.1',
  cniPlugins: 'v1.9.1',
  containerd: 'v2.2.1',
  runc: 'v1.4.0',
} as const;

/**
 * etcd, coredns and pause are what `kubeadm config images list` of that version prints.
 * `scripts/add-kubernetes-version.mjs` adds a row.
 */
export const RELEASES: Readonly<Record<string, Release>> = {
  'v1.36.3': { ...COMMON, etcd: '3.6.8-0', coredns: 'v1.14.2', pause: '3.10.2', agnhost: '2.63.0' },
  'v1.36.1': { ...COMMON, etcd: '3.6.8-0', coredns: 'v1.14.2', pause: '3.10.2', agnhost: '2.63.0' },
  'v1.35.4': { ...COMMON, etcd: '3.6.6-0', coredns: 'v1.13.1', pause: '3.10.1', agnhost: '2.59' },
  'v1.34.4': { ...COMMON, etcd: '3.6.5-0', coredns: 'v1.12.1', pause: '3.10.1', agnhost: '2.56' },
};

/**
 * Component versions of a Kubernetes version.
 * @throws KeelsonError BUNDLE when there is no module set for it
 */
export function releaseFor(kubernetesVersion: string): Release {
  const release = RELEASES[kubernetesVersion];
  if (release !== undefined) return release;
  throw new KeelsonError('BUNDLE', `there is no module set for Kubernetes ${kubernetesVersion}`, {
    hint: `use one of ${Object.keys(RELEASES).join(', ')}, or add it with scripts/add-kubernetes-version.mjs`,
  });
}

/** Version of the etcd module for an image tag: `3.6.8-0` is v3.6.8. */
export function etcdModuleVersion(tag: string): string {
  return `v${tag.replace(/-\d+$/, '')}`;
}
