import type { Pod } from 'kubernetes-types/core/v1.js';
import { etcdHosts, memberAddress, memberSettings, timeoutsOf } from '../../config/inventory.js';
import type { ClusterConfig, ClusterConfiguration, LocalEtcd, ResolvedHost } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { joinHostPort, loopbackFor } from '../addresses.js';
import { argumentsOf, lastArgument, mergeArguments } from '../component-arguments.js';
import { etcdImage, isAtLeast } from '../image-names.js';
import {
  componentPod,
  environment,
  livenessProbe,
  PROBE_PORT,
  type ProbeEndpoint,
  readinessProbe,
  startupProbe,
} from './pod.js';
import { directory, hostPathMounts } from './volumes.js';

export const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
const METRICS_PORT = 2381;

export interface EtcdMember {
  name: string;
  /** `https://10.0.0.1:2380` */
  peerURL: string;
}

export interface EtcdMembership {
  /**
   * All members, this host's included, in etcd's order; default: this host alone, and with hosts of role etcd
   * all of them.
   */
  initialCluster?: readonly EtcdMember[];
  /** Default: `existing` where `initialCluster` is given. `new` is etcd's own default and not written. */
  initialClusterState?: 'new' | 'existing';
}

export function etcdPeerUrl(host: ResolvedHost): string {
  return `https://${joinHostPort(memberAddress(host), PEER_PORT)}`;
}

function etcdClientUrl(host: ResolvedHost): string {
  return `https://${joinHostPort(memberAddress(host), CLIENT_PORT)}`;
}

/** The members that a cluster on hosts of role etcd begins with; this host alone where etcd is stacked. */
export function firstMembers(config: ClusterConfig, host: ResolvedHost): EtcdMember[] {
  const hosts = host.role === 'etcd' ? etcdHosts(config) : [host];
  return hosts.map((member) => ({ name: member.nodeRegistration.name, peerURL: etcdPeerUrl(member) }));
}

/**
 * Static pod of an etcd member, on a control plane or on a host of role etcd.
 * @throws KeelsonError BUG where the host has none
 */
export function etcdPod(config: ClusterConfig, host: ResolvedHost, membership: EtcdMembership = {}): Pod {
  const local = memberSettings(config.cluster, host);
  if (local === undefined)
    throw new KeelsonError('BUG', 'no etcd member runs on this host', { host: host.name });
  const { certificatesDir } = config.cluster;
  const certificates = `${certificatesDir}/etcd`;
  const loopback = loopbackFor(memberAddress(host));
  const endpoint = metricsEndpoint(local, loopback);
  const timeout = timeoutsOf(config, host).controlPlaneComponentHealthCheck;
  const { volumes } = hostPathMounts([
    directory('etcd-data', local.dataDir, false),
    directory('etcd-certs', certificates, false),
  ]);
  return componentPod({
    name: 'etcd',
    image: etcdImage(config.cluster),
    command: ['etcd', ...etcdArguments(config, host, local, membership)],
    env: environment(local.extraEnvs),
    ports: [{ name: PROBE_PORT, containerPort: endpoint.port, protocol: 'TCP' }],
    probes: {
      liveness: livenessProbe(endpoint, '/livez'),
      readiness: readinessProbe(endpoint, '/readyz'),
      startup: startupProbe(endpoint, '/readyz', timeout),
    },
    requests: { cpu: '100m', memory: '100Mi' },
    volumes,
    volumeMounts: [
      { name: 'etcd-data', mountPath: local.dataDir },
      { name: 'etcd-certs', mountPath: certificates },
    ],
    annotations: { 'kubeadm.kubernetes.io/etcd.advertise-client-urls': etcdClientUrl(host) },
  });
}

function etcdArguments(
  config: ClusterConfig,
  host: ResolvedHost,
  local: LocalEtcd,
  { initialCluster, initialClusterState }: EtcdMembership,
): string[] {
  const { certificatesDir } = config.cluster;
  const name = host.nodeRegistration.name;
  const loopback = loopbackFor(memberAddress(host));
  const members = initialCluster ?? firstMembers(config, host);
  const state = initialClusterState ?? (initialCluster === undefined ? 'new' : 'existing');
  const defaults = argumentsOf({
    name,
    'listen-client-urls': `https://${joinHostPort(loopback, CLIENT_PORT)},${etcdClientUrl(host)}`,
    'advertise-client-urls': etcdClientUrl(host),
    'listen-peer-urls': etcdPeerUrl(host),
    'initial-advertise-peer-urls': etcdPeerUrl(host),
    'initial-cluster': members.map((member) => `${member.name}=${member.peerURL}`).join(','),
    ...(state === 'existing' ? { 'initial-cluster-state': 'existing' } : {}),
    'data-dir': local.dataDir,
    'cert-file': `${certificatesDir}/etcd/server.crt`,
    'key-file': `${certificatesDir}/etcd/server.key`,
    'trusted-ca-file': `${certificatesDir}/etcd/ca.crt`,
    'client-cert-auth': 'true',
    'peer-cert-file': `${certificatesDir}/etcd/peer.crt`,
    'peer-key-file': `${certificatesDir}/etcd/peer.key`,
    'peer-trusted-ca-file': `${certificatesDir}/etcd/ca.crt`,
    'peer-client-cert-auth': 'true',
    'snapshot-count': '10000',
    'listen-metrics-urls': `http://${joinHostPort(loopback, METRICS_PORT)}`,
    ...checkArguments(config.cluster),
  });
  return mergeArguments(defaults, local.extraArgs);
}

/** etcd 3.6 renamed two flags that 3.5 has as experimental; kubeadm 1.36 no longer knows 3.5. */
function checkArguments(cluster: ClusterConfiguration): Record<string, string> {
  const [major = 3, minor = 6] = (/:v?(\d+)\.(\d+)\./.exec(etcdImage(cluster)) ?? []).slice(1).map(Number);
  const isCurrent = major > 3 || (major === 3 && minor >= 6) || isAtLeast(cluster.kubernetesVersion, '1.36');
  return isCurrent
    ? { 'feature-gates': 'InitialCorruptCheck=true', 'watch-progress-notify-interval': '5s' }
    : { 'experimental-initial-corrupt-check': 'true', 'experimental-watch-progress-notify-interval': '5s' };
}

/** Where etcd serves its health: the first URL of a user's listen-metrics-urls, else loopback. */
function metricsEndpoint(local: LocalEtcd, loopback: string): ProbeEndpoint & { port: number } {
  const fallback = { host: loopback, scheme: 'HTTP' as const, port: METRICS_PORT };
  const first = lastArgument(local.extraArgs, 'listen-metrics-urls')?.split(',')[0];
  const match = /^(\w+):\/\/(?:\[([^\]]*)\]|([^:/]*))(?::(\d+))?(?:\/.*)?$/.exec(first ?? '');
  if (match === null) return fallback;
  const port = Number(match[4] ?? METRICS_PORT);
  return {
    host: match[2] || match[3] || loopback,
    scheme: match[1] === 'https' ? 'HTTPS' : 'HTTP',
    port: port >= 1 && port <= 65_535 ? port : METRICS_PORT,
  };
}
