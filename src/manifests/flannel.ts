import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { DaemonSet } from 'kubernetes-types/apps/v1.js';
import type { ConfigMap, Namespace, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { ClusterRole, ClusterRoleBinding } from 'kubernetes-types/rbac/v1.js';
import type { ClusterConfig, FlannelNetwork } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { clusterRoleBinding } from './rbac.js';

export const FLANNEL_NAMESPACE = 'kube-flannel';
export const FLANNEL_DAEMON_SET = 'kube-flannel-ds';
export const FLANNEL_CONFIG_MAP = 'kube-flannel-cfg';
/** Annotation of flannel's pods with `flannelConfigDigest`. */
export const FLANNEL_CONFIG_ANNOTATION = 'keelson.dev/flannel-config';
const NAMESPACE = FLANNEL_NAMESPACE;
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
    EnableNFTables: networkOf(config).nftables,
    Backend: backend(networkOf(config)),
  });
}

function networkOf({ spec: { network } }: ClusterConfig): FlannelNetwork {
  if (network.plugin === 'flannel') return network;
  throw new KeelsonError('BUG', `network plugin is ${network.plugin}, not flannel`);
}

/** Bytes that flannel takes off for a tunnel, whatever the family (encapOverhead, overhead; v0.28.10). */
const OVERHEAD = { vxlan: 50, wireguard: 80, 'host-gw': 0 } as const;

/** To flannel `MTU` is that of the interface below the tunnel, to us that of the pods. */
function backend(network: FlannelNetwork): Record<string, unknown> {
  const mtu = network.mtu === undefined ? {} : { MTU: network.mtu + OVERHEAD[network.backend] };
  switch (network.backend) {
    case 'host-gw':
      return { Type: 'host-gw' };
    case 'wireguard':
      return { Type: 'wireguard', ListenPort: network.port, ListenPortV6: network.port + 1, ...mtu };
    case 'vxlan': {
      const { vni, port, directRouting } = network;
      return { Type: 'vxlan', VNI: vni, Port: port, DirectRouting: directRouting, ...mtu };
    }
  }
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
      metadata: { name: FLANNEL_CONFIG_MAP, namespace: NAMESPACE, labels: LABELS },
      data: { 'cni-conf.json': flannelCniConflist(), 'net-conf.json': flannelNetConf(config) },
    },
    flannelDaemonSet(images, interfaceArguments(config), flannelConfigDigest(config)),
  ];
}

/**
 * On a host with several networks the default route's is not always the cluster's. With dual stack flannel 0.28
 * finds the interface of an IPv6 address only if that is also the public one (LookupExtIface).
 */
function interfaceArguments(config: ClusterConfig): string[] {
  const { interface: name, interfacePattern: pattern } = networkOf(config);
  if (name !== undefined) return [`--iface=${name}`];
  if (pattern !== undefined) return [`--iface-regex=${pattern}`];
  const [primary = '', secondary] = config.cluster.networking.podSubnet?.split(',') ?? [];
  const ipv6First = secondary !== undefined && primary.includes(':');
  return ['--iface=$(HOST_IP)', ...(ipv6First ? ['--public-ipv6=$(HOST_IP)'] : [])];
}

/**
 * Digest of what flanneld reads only when it starts. It stands on its pods, so that they are made anew when it
 * changes, and tells which of them have it already.
 */
export function flannelConfigDigest(config: ClusterConfig): string {
  const read = JSON.stringify([flannelNetConf(config), interfaceArguments(config)]);
  return createHash('sha256').update(read).digest('hex').slice(0, 16);
}

function flannelDaemonSet(images: FlannelImages, args: readonly string[], digest: string): DaemonSet {
  const metadata = {
    labels: { tier: 'node', app: 'flannel' },
    annotations: { [FLANNEL_CONFIG_ANNOTATION]: digest },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: FLANNEL_DAEMON_SET, namespace: NAMESPACE, labels: LABELS },
    spec: {
      selector: { matchLabels: { app: 'flannel' } },
      // Packets go on while flanneld restarts, since the routes are the kernel's; but nodes that differ in their
      // backend do not learn of each other's changes, so that they should not differ for long.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } },
      template: { metadata, spec: flannelPodSpec(images, args) },
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
          periodSeconds: 2,
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
