import { isIPv6 } from 'node:net';
import type { DaemonSet } from 'kubernetes-types/apps/v1.js';
import type { ConfigMap, Namespace, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { ClusterRole, ClusterRoleBinding } from 'kubernetes-types/rbac/v1.js';
import type { ClusterConfig, NetworkSpec } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { clusterRoleBinding } from './rbac.js';

const NAMESPACE = 'kube-flannel';
const LABEL = { 'k8s-app': 'flannel' };
const LABELS = { tier: 'node', app: 'flannel', ...LABEL };

export interface FlannelImages {
  flannel: string;
  cniPlugin: string;
}

/** Images of flannel's published manifest of v0.28.10. */
export const FLANNEL_IMAGES: FlannelImages = {
  flannel: 'ghcr.io/flannel-io/flannel:v0.28.10',
  cniPlugin: 'ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3',
};

/** File that the DaemonSet's init container writes; the kubelet's network is ready once it is there. */
const FLANNEL_CONFLIST_PATH = '/etc/cni/net.d/10-flannel.conflist';

/** CNI configuration, byte for byte what the init container writes to `FLANNEL_CONFLIST_PATH`. */
export function flannelCniConflist(): string {
  return json({
    name: 'cbr0',
    // What every flannel CNI plugin from v0.9.1 to the newest speaks.
    cniVersion: '0.3.1',
    plugins: [
      { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

/**
 * flannel's own configuration: pod subnets and backend.
 * @throws KeelsonError CONFIG without a pod subnet, or with another plugin than flannel
 */
export function flannelNetConf(config: ClusterConfig): string {
  const subnets = (config.cluster.networking.podSubnet ?? '').split(',').filter((subnet) => subnet !== '');
  const v4 = subnets.find((subnet) => !isIPv6(subnet.split('/')[0] ?? ''));
  const v6 = subnets.find((subnet) => isIPv6(subnet.split('/')[0] ?? ''));
  if (v4 === undefined && v6 === undefined) {
    throw new KeelsonError('CONFIG', 'flannel needs networking.podSubnet', {
      hint: 'set networking.podSubnet in the ClusterConfiguration, for example 10.244.0.0/16',
    });
  }
  return json({
    ...(v4 === undefined ? { EnableIPv4: false } : { Network: v4 }),
    ...(v6 === undefined ? {} : { EnableIPv6: true, IPv6Network: v6 }),
    EnableNFTables: false,
    Backend: backend(config.spec.network),
  });
}

function backend(network: NetworkSpec): Record<string, unknown> {
  if (network.plugin !== 'flannel')
    throw new KeelsonError('BUG', `network plugin is ${network.plugin}, not flannel`);
  if (network.backend === 'host-gw') return { Type: 'host-gw' };
  return {
    Type: 'vxlan',
    VNI: network.vni,
    Port: network.port,
    DirectRouting: network.directRouting,
    ...(network.mtu === undefined ? {} : { MTU: network.mtu }),
  };
}

export type FlannelObject =
  | Namespace
  | ServiceAccount
  | ClusterRole
  | ClusterRoleBinding
  | ConfigMap
  | DaemonSet;

/**
 * Every object of flannel's published manifest, in the order in which they should be applied.
 * @throws KeelsonError CONFIG without a pod subnet
 */
export function flannelObjects(
  config: ClusterConfig,
  images: FlannelImages = FLANNEL_IMAGES,
): FlannelObject[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE, labels: { ...LABEL, 'pod-security.kubernetes.io/enforce': 'privileged' } },
    },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'flannel', namespace: NAMESPACE, labels: LABEL },
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'flannel', labels: LABEL },
      rules: [
        { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
        { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
      ],
    },
    {
      ...clusterRoleBinding('flannel', 'flannel', [
        { kind: 'ServiceAccount', name: 'flannel', namespace: NAMESPACE },
      ]),
      metadata: { name: 'flannel', labels: LABEL },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kube-flannel-cfg', namespace: NAMESPACE, labels: LABELS },
      data: { 'cni-conf.json': flannelCniConflist(), 'net-conf.json': flannelNetConf(config) },
    },
    flannelDaemonSet(images, interfaceArguments(config)),
  ];
}

/**
 * On a host with several networks the default route's is not always the cluster's. With dual stack flannel 0.28
 * finds the interface of an IPv6 address only if that is also the public one (LookupExtIface).
 */
function interfaceArguments({ cluster }: ClusterConfig): string[] {
  const [primary = '', secondary] = cluster.networking.podSubnet?.split(',') ?? [];
  const ipv6First = secondary !== undefined && primary.includes(':');
  return ['--iface=$(HOST_IP)', ...(ipv6First ? ['--public-ipv6=$(HOST_IP)'] : [])];
}

function flannelDaemonSet(images: FlannelImages, args: readonly string[]): DaemonSet {
  const podLabels = { tier: 'node', app: 'flannel' };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'kube-flannel-ds', namespace: NAMESPACE, labels: LABELS },
    spec: {
      selector: { matchLabels: { app: 'flannel' } },
      template: { metadata: { labels: podLabels }, spec: flannelPodSpec(images, args) },
    },
  };
}

function flannelPodSpec(
  { flannel, cniPlugin }: FlannelImages,
  args: readonly string[],
): NonNullable<NonNullable<DaemonSet['spec']>['template']['spec']> {
  const configuration = { name: 'flannel-cfg', mountPath: '/etc/kube-flannel/' };
  return {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/os', operator: 'In', values: ['linux'] }] },
          ],
        },
      },
    },
    hostNetwork: true,
    priorityClassName: 'system-node-critical',
    tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
    serviceAccountName: 'flannel',
    initContainers: [
      {
        name: 'install-cni-plugin',
        image: cniPlugin,
        command: ['cp'],
        args: ['-f', '/flannel', '/opt/cni/bin/flannel'],
        volumeMounts: [{ name: 'cni-plugin', mountPath: '/opt/cni/bin' }],
      },
      {
        name: 'install-cni',
        image: flannel,
        command: ['/opt/bin/install-conf'],
        args: ['/etc/kube-flannel/cni-conf.json', FLANNEL_CONFLIST_PATH],
        volumeMounts: [{ name: 'cni', mountPath: '/etc/cni/net.d' }, configuration],
      },
    ],
    containers: [
      {
        name: 'kube-flannel',
        image: flannel,
        command: ['/opt/bin/flanneld'],
        args: [...args, '--ip-masq', '--kube-subnet-mgr', '--healthz-port=8081'],
        ports: [{ name: 'healthz', containerPort: 8081, protocol: 'TCP' }],
        livenessProbe: {
          httpGet: { path: '/healthz', port: 'healthz' },
          initialDelaySeconds: 10,
          periodSeconds: 30,
        },
        readinessProbe: {
          httpGet: { path: '/readyz', port: 'healthz' },
          initialDelaySeconds: 5,
          periodSeconds: 10,
        },
        resources: { requests: { cpu: '100m', memory: '50Mi' } },
        securityContext: { privileged: false, capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } },
        env: [
          { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
          { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
          { name: 'EVENT_QUEUE_DEPTH', value: '5000' },
          { name: 'CONT_WHEN_CACHE_NOT_READY', value: 'false' },
        ],
        volumeMounts: [
          { name: 'run', mountPath: '/run/flannel' },
          configuration,
          { name: 'xtables-lock', mountPath: '/run/xtables.lock' },
        ],
      },
    ],
    volumes: [
      { name: 'run', hostPath: { path: '/run/flannel' } },
      { name: 'cni-plugin', hostPath: { path: '/opt/cni/bin' } },
      { name: 'cni', hostPath: { path: '/etc/cni/net.d' } },
      { name: 'flannel-cfg', configMap: { name: 'kube-flannel-cfg' } },
      { name: 'xtables-lock', hostPath: { path: '/run/xtables.lock', type: 'FileOrCreate' } },
    ],
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
