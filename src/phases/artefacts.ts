import type { Artefact } from '../engine/phase.js';

const onHost = (name: string): Artefact => ({ name, scope: 'host' });
const inCluster = (name: string): Artefact => ({ name, scope: 'cluster' });

/** Packages of the distribution with what nodes need. */
export const HOST_PACKAGES = onHost('host-packages');
/** Kernel modules loaded, sysctls set; swap, SELinux and firewall as asked. */
export const PREPARED_HOST = onHost('prepared-host');
/** containerd serving, with runc and CNI plugins. */
export const RUNTIME = onHost('runtime');
/** Images in containerd that the host's kubelet needs to start: on control planes those of etcd and the API server. */
export const IMAGES = onHost('images');
/** Images of the controller manager and the scheduler. */
export const CONTROLLER_IMAGES = onHost('controller-images');
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
/** Manifests of etcd and the API server. */
export const API_PODS = onHost('api-pods');
/** Manifests of the controller manager and the scheduler. */
export const CONTROLLER_PODS = onHost('controller-pods');
/** The first control plane's kubelet, with its static pods. */
export const FIRST_KUBELET = inCluster('first-kubelet');
/** A running kubelet. */
export const KUBELET = onHost('kubelet');
/** An API server that answers. */
export const API = inCluster('api');
/** The host's own load balancer, where the endpoint has one there. */
export const BALANCER = onHost('balancer');
/** keepalived on the control planes, where they hold a virtual address. */
export const VIRTUAL_ADDRESS = inCluster('virtual-address');
/** The API answers at its endpoint, seen from every host of the run. */
export const ENDPOINT = inCluster('endpoint');
/** No kubelet of the run and no kube-proxy uses another endpoint any more. */
export const ENDPOINT_ADOPTED = inCluster('endpoint-adopted');
/** RBAC that joining nodes need. */
export const JOIN_RIGHTS = inCluster('join-rights');
/** Node objects of all hosts. */
export const NODES = inCluster('nodes');
/** Kubelets that ask the cluster for serving certificates have them. */
export const SERVING_CERTIFICATES = inCluster('serving-certificates');
/** The network plugin's objects are in the cluster. */
export const NETWORK_APPLIED = inCluster('network-applied');
/** flannel on every node that is up has the configuration that the cluster has. */
export const NETWORK_CURRENT = inCluster('network-current');
/** Pods of every node of the run have a network. */
export const NETWORK = inCluster('network');
/** Add-ons and network applied. */
export const ADDONS = inCluster('addons');
/** No pod that can move is left on the nodes that leave. */
export const DRAINED = inCluster('drained');
/** The API server of a control plane that leaves is stopped. */
export const API_SERVER_STOPPED = onHost('api-server-stopped');
/** Hosts that leave are no members of etcd any more. */
export const MEMBERS_OUT = inCluster('members-out');
/** New certificates lie on all hosts, and their kubelets have read theirs. */
export const RENEWED = inCluster('renewed');
