import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from 'kubernetes-types/rbac/v1.js';
import { canonicalDuration } from '../config/go-duration.js';
import type { ClusterConfig, ClusterConfiguration, ControlPlaneComponent, EnvVar } from '../config/types.js';
import { controlPlaneUrl } from './addresses.js';
import { type CorednsObject, corednsObjects } from './coredns.js';
import { isAtLeast } from './image-names.js';
import { isObject } from './json.js';
import { type KubeProxyObject, kubeProxyObjects } from './kube-proxy.js';
import { type KubeletSurroundings, kubeletConfigMap } from './kubelet-configuration.js';
import type { PatchFile } from './patches.js';
import { BOOTSTRAPPERS, clusterRoleBinding, configMapReader, group, NODES, user } from './rbac.js';
import { stringifyYaml } from './yaml.js';

export type ClusterObject =
  | ConfigMap
  | Role
  | RoleBinding
  | ClusterRole
  | ClusterRoleBinding
  | CorednsObject
  | KubeProxyObject;

export interface ClusterObjectsOptions extends KubeletSurroundings {
  /** `*_proxy` variables for kube-proxy. */
  proxyEnvironment?: readonly EnvVar[];
  /** Replicas of a CoreDNS that runs already. */
  corednsReplicas?: number;
  /** Patches of the first control plane; only those of corednsdeployment are used. */
  patches?: readonly PatchFile[];
}

/** ConfigMap kubeadm-config with the ClusterConfiguration, from which kubeadm joins and upgrades. */
export function kubeadmConfigMap(config: ClusterConfig): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubeadm-config', namespace: 'kube-system' },
    data: { ClusterConfiguration: stringifyYaml(uploadedConfiguration(config)) },
  };
}

/** Fields that kubeadm writes even when they are empty. */
const KEPT_EMPTY = new Set([
  'apiServer',
  'controllerManager',
  'scheduler',
  'dns',
  'proxy',
  'etcd',
  'networking',
]);
const KEPT_STRINGS = new Set(['value', 'caFile', 'certFile', 'keyFile']);

function uploadedConfiguration(config: ClusterConfig): unknown {
  const { cluster } = config;
  return withoutEmpty({
    ...cluster,
    certificateValidityPeriod: canonicalDuration(cluster.certificateValidityPeriod),
    caCertificateValidityPeriod: canonicalDuration(cluster.caCertificateValidityPeriod),
    apiServer: component(cluster.apiServer),
    controllerManager: component(cluster.controllerManager),
    scheduler: component(cluster.scheduler),
    controlPlaneEndpoint: cluster.controlPlaneEndpoint && controlPlaneUrl(config).slice('https://'.length),
    etcd: uploadedEtcd(cluster),
  });
}

function uploadedEtcd({ kubernetesVersion, etcd }: ClusterConfiguration): object {
  const { local, external } = etcd;
  // What keelson runs on hosts of role etcd is external to kubeadm.
  if (external !== undefined) {
    const { httpEndpoints = external.endpoints, ...known } = external;
    return { external: isAtLeast(kubernetesVersion, '1.35') ? { ...known, httpEndpoints } : known };
  }
  return { local: { ...local, extraEnvs: variables(local?.extraEnvs) } };
}

function component<T extends ControlPlaneComponent>(given: T): object {
  return { ...given, extraEnvs: variables(given.extraEnvs) };
}

function variables(given: readonly EnvVar[] | undefined): object[] {
  return (given ?? []).map(({ name, value }) => (value === '' ? { name } : { name, value }));
}

function withoutEmpty(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutEmpty(item));
  if (!isObject(value)) return value;
  const kept: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined || field === null) continue;
    if ((field === '' && !KEPT_STRINGS.has(name)) || (field === false && key !== 'featureGates')) continue;
    if (typeof field === 'object' && Object.keys(field).length === 0 && !KEPT_EMPTY.has(name)) continue;
    kept[name] = withoutEmpty(field, name);
  }
  return kept;
}

/** What bootstrap tokens and nodes may do, as the phases upload-config and bootstrap-token grant it. */
export function accessObjects(config: ClusterConfig): ClusterObject[] {
  const certificates = 'system:certificates.k8s.io:certificatesigningrequests';
  return [
    clusterRoleBinding('kubeadm:cluster-admins', 'cluster-admin', [group('kubeadm:cluster-admins')]),
    ...configMapReader('kubeadm:nodes-kubeadm-config', 'kube-system', 'kubeadm-config', [
      group(BOOTSTRAPPERS),
      group(NODES),
    ]),
    ...configMapReader('kubeadm:kubelet-config', 'kube-system', 'kubelet-config', [
      group(NODES),
      group(BOOTSTRAPPERS),
    ]),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'kubeadm:get-nodes' },
      rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }],
    },
    clusterRoleBinding('kubeadm:get-nodes', 'kubeadm:get-nodes', [group(BOOTSTRAPPERS)]),
    clusterRoleBinding('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', [group(BOOTSTRAPPERS)]),
    clusterRoleBinding('kubeadm:node-autoapprove-bootstrap', `${certificates}:nodeclient`, [
      group(BOOTSTRAPPERS),
    ]),
    clusterRoleBinding('kubeadm:node-autoapprove-certificate-rotation', `${certificates}:selfnodeclient`, [
      group(NODES),
    ]),
    // Until 1.35 the API server's kubelet client is in system:masters instead.
    ...(isAtLeast(config.cluster.kubernetesVersion, '1.36')
      ? [
          clusterRoleBinding('kubeadm:apiserver-kubelet-client', 'system:kubelet-api-admin', [
            user('kube-apiserver-kubelet-client'),
          ]),
        ]
      : []),
    ...configMapReader('kubeadm:bootstrap-signer-clusterinfo', 'kube-public', 'cluster-info', [
      user('system:anonymous'),
    ]),
  ];
}

/**
 * Every object that `kubeadm init` creates in the cluster, but for bootstrap token Secrets, the ConfigMap
 * cluster-info, which holds the cluster's CA, and the Node. In an order in which they can be applied.
 */
export function clusterObjects(config: ClusterConfig, options: ClusterObjectsOptions = {}): ClusterObject[] {
  const { cluster } = config;
  const dns = {
    ...(options.corednsReplicas === undefined ? {} : { replicas: options.corednsReplicas }),
    ...(options.patches === undefined ? {} : { patches: options.patches }),
  };
  return [
    kubeadmConfigMap(config),
    kubeletConfigMap(config, options),
    ...accessObjects(config),
    ...(cluster.dns.disabled ? [] : corednsObjects(config, dns)),
    ...(cluster.proxy.disabled ? [] : kubeProxyObjects(config, options.proxyEnvironment)),
  ];
}
