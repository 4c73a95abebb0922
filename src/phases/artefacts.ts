import type { Artefact } from '../engine/phase.js';

const onHost = (name: string): Artefact => ({ name, scope: 'host' });
const inCluster = (name: string): Artefact => ({ name, scope: 'cluster' });

/** Kernel modules loaded and sysctls set. */
export const PREPARED_HOST = onHost('prepared-host');
/** containerd serving, with runc and CNI plugins. */
export const RUNTIME = onHost('runtime');
/** Images of the host's role in containerd. */
export const IMAGES = onHost('images');
/** Images of add-ons on all control planes, the nodes that are there before any worker. */
export const ADDON_IMAGES = inCluster('addon-images');
/** kubelet's binary and unit. */
export const KUBELET_BINARIES = onHost('kubelet-binaries');
/** CAs and the service-account keys. */
export const AUTHORITIES = onHost('authorities');
/** Certificates and kubeconfigs of a control plane. */
export const CREDENTIALS = onHost('credentials');
/** A voting etcd member beside the API server. */
export const ETCD = onHost('etcd');
/** A started etcd member on a host of role etcd. */
export const ETCD_MEMBER = onHost('etcd-member');
/** An etcd on hosts of role etcd that has a leader. */
export const ETCD_CLUSTER = inCluster('etcd-cluster');
/** Static pod manifests. */
export const STATIC_PODS = onHost('static-pods');
/** The first control plane's kubelet, with its static pods. */
export const FIRST_KUBELET = inCluster('first-kubelet');
/** A running kubelet. */
export const KUBELET = onHost('kubelet');
/** An API server that answers. */
export const API = inCluster('api');
/** A controller manager at work: it signs certificates, hands out pod subnets, makes pods. */
export const CONTROLLERS = inCluster('controllers');
/** RBAC and cluster-info that joining nodes need. */
export const JOIN_RIGHTS = inCluster('join-rights');
/** Node objects of all hosts. */
export const NODES = inCluster('nodes');
/** The network plugin's objects are in the cluster. */
export const NETWORK_APPLIED = inCluster('network-applied');
/** The first control plane's pods have a network. */
export const NETWORK = inCluster('network');
/** Add-ons and network applied. */
export const ADDONS = inCluster('addons');
