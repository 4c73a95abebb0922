import type * as z from 'zod';
import { cluster } from './cluster.js';
import { clusterConfiguration } from './cluster-configuration.js';
import { kubeletConfiguration, kubeProxyConfiguration } from './component-config.js';
import { initConfiguration } from './init-configuration.js';
import { joinConfiguration } from './join-configuration.js';

/** Documents that a configuration is made of, by kind; each kind at most once. */
export const SCHEMAS = {
  Cluster: cluster,
  ClusterConfiguration: clusterConfiguration,
  InitConfiguration: initConfiguration,
  JoinConfiguration: joinConfiguration,
  KubeletConfiguration: kubeletConfiguration,
  KubeProxyConfiguration: kubeProxyConfiguration,
} as const;

export type Kind = keyof typeof SCHEMAS;
export type Documents = { [K in Kind]?: z.output<(typeof SCHEMAS)[K]> };

const API_VERSIONS: Readonly<Record<Kind, string>> = {
  Cluster: 'keelson.dev/v1alpha1',
  ClusterConfiguration: 'kubeadm.k8s.io/v1beta4',
  InitConfiguration: 'kubeadm.k8s.io/v1beta4',
  JoinConfiguration: 'kubeadm.k8s.io/v1beta4',
  KubeletConfiguration: 'kubelet.config.k8s.io/v1beta1',
  KubeProxyConfiguration: 'kubeproxy.config.k8s.io/v1alpha1',
};

/** Kinds that kubeadm has and keelson needs nothing of. */
export const IGNORED_KINDS: readonly string[] = ['ResetConfiguration', 'UpgradeConfiguration'];

export const KINDS = Object.keys(SCHEMAS) as Kind[];

export const isKind = (kind: string): kind is Kind => Object.hasOwn(SCHEMAS, kind);

/** The one apiVersion that a kind is read in, once migrated. */
export const apiVersionOf = (kind: Kind): string => API_VERSIONS[kind];
