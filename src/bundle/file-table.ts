import type { BundleRole } from './lock.js';
import { CNI_PLUGINS } from './recipes.js';

export interface FileSpecRow {
  name: string;
  path: string;
  component: string;
}

/** Every node gets every file: kubeadm and kubectl are what operators reach for on any of them. */
export const FILE_ROLES: readonly BundleRole[] = ['control-plane', 'worker'];

export const FILE_MODE = 0o755;

/** Files on hosts: where Kubernetes' packages, containerd's and runc's releases and CNI have them. */
export const FILE_TABLE: readonly FileSpecRow[] = [
  { name: 'kubelet', path: '/usr/bin/kubelet', component: 'kubernetes' },
  { name: 'kubeadm', path: '/usr/bin/kubeadm', component: 'kubernetes' },
  { name: 'kubectl', path: '/usr/bin/kubectl', component: 'kubernetes' },
  { name: 'containerd', path: '/usr/local/bin/containerd', component: 'containerd' },
  {
    name: 'containerd-shim-runc-v2',
    path: '/usr/local/bin/containerd-shim-runc-v2',
    component: 'containerd',
  },
  { name: 'ctr', path: '/usr/local/bin/ctr', component: 'containerd' },
  { name: 'runc', path: '/usr/local/sbin/runc', component: 'runc' },
  ...Object.keys(CNI_PLUGINS).map((name) => ({
    name,
    path: `/opt/cni/bin/${name}`,
    component: 'cni-plugins',
  })),
  { name: 'flannel', path: '/opt/cni/bin/flannel', component: 'cni-plugin-flannel' },
];
