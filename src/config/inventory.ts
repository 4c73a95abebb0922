import { isIPv6 } from 'node:net';
import { KeelsonError } from '../errors/keelson-error.js';
import { expandPattern } from './host-patterns.js';
import { didYouMean, nearest } from './suggest.js';
import type { ClusterConfig, ClusterConfiguration, LocalEtcd, ResolvedHost, Timeouts } from './types.js';

export type ControlPlaneHost = ResolvedHost & {
  localAPIEndpoint: { advertiseAddress: string; bindPort: number };
};

/** Control planes that are to be there, in the order of the file. */
export function controlPlanes(config: ClusterConfig): ControlPlaneHost[] {
  return presentHosts(config).filter(
    (host): host is ControlPlaneHost => host.role === 'control-plane' && host.localAPIEndpoint !== null,
  );
}

/** The control plane that is initialised; all others join it. */
export function firstControlPlane(config: ClusterConfig): ControlPlaneHost {
  const [first] = controlPlanes(config);
  if (first === undefined) throw new KeelsonError('CONFIG', 'the configuration has no control plane');
  return first;
}

/**
 * `host`, known to have an API endpoint of its own.
 * @throws KeelsonError BUG for a worker
 */
export function asControlPlane(host: ResolvedHost): ControlPlaneHost {
  const { localAPIEndpoint } = host;
  if (localAPIEndpoint === null) {
    throw new KeelsonError('BUG', 'no local API endpoint on a host that should be a control plane', {
      host: host.name,
    });
  }
  return { ...host, localAPIEndpoint };
}

/** Timeouts of InitConfiguration on the first control plane, of JoinConfiguration elsewhere. */
export function timeoutsOf(config: ClusterConfig, host: ResolvedHost): Timeouts {
  const [first] = controlPlanes(config);
  return first?.name === host.name ? config.init.timeouts : config.joinTimeouts;
}

/** Workers that are to be there, in the order of the file. */
export function workers(config: ClusterConfig): ResolvedHost[] {
  return presentHosts(config).filter((host) => host.role === 'worker');
}

/** How the etcd member of a host runs; undefined on hosts that have none. */
export function memberSettings(
  cluster: Pick<ClusterConfiguration, 'etcd'>,
  host: Pick<ResolvedHost, 'role'>,
): LocalEtcd | undefined {
  if (host.role === 'etcd') return cluster.etcd.members;
  return host.role === 'control-plane' ? cluster.etcd.local : undefined;
}

/** Architectures that hosts state, each once, in the order of the file. */
export function statedArchitectures(config: ClusterConfig): ('amd64' | 'arm64')[] {
  return [...new Set(presentHosts(config).flatMap(({ architecture }) => architecture ?? []))];
}

/** Hosts that are to have an etcd member: control planes, those of role etcd, or none where etcd is run elsewhere. */
export function memberHosts(config: ClusterConfig): ResolvedHost[] {
  return presentHosts(config).filter((host) => memberSettings(config.cluster, host) !== undefined);
}

/** Address at which an etcd member is reached by others. */
export function memberAddress({ localAPIEndpoint, nodeIP }: ResolvedHost): string {
  return localAPIEndpoint?.advertiseAddress ?? nodeIP;
}

/** Hosts of role etcd that are to be there, in the order of the file. */
export function etcdHosts(config: ClusterConfig): ResolvedHost[] {
  return presentHosts(config).filter((host) => host.role === 'etcd');
}

/** Hosts that are nodes of the cluster, in the order of the file: all but those of role etcd. */
export function nodeHosts(config: ClusterConfig): ResolvedHost[] {
  return presentHosts(config).filter((host) => host.role !== 'etcd');
}

/** Hosts that are to be there, in the order of the file. */
export function presentHosts(config: ClusterConfig): ResolvedHost[] {
  return config.hosts.filter((host) => host.state === 'present');
}

/** Hosts that are to be removed. */
export function absentHosts(config: ClusterConfig): ResolvedHost[] {
  return config.hosts.filter((host) => host.state === 'absent');
}

/** Client URLs of the members on hosts of role etcd that are to be there. */
export function memberEndpoints(hosts: readonly ResolvedHost[]): string[] {
  return hosts
    .filter((host) => host.role === 'etcd' && host.state === 'present')
    .map(({ nodeIP }) => `https://${isIPv6(nodeIP) ? `[${nodeIP}]` : nodeIP}:2379`);
}

/** The same configuration with these hosts to be removed. */
export function withAbsent(config: ClusterConfig, names: readonly string[]): ClusterConfig {
  const hosts = config.hosts.map(
    (host): ResolvedHost => (names.includes(host.name) ? { ...host, state: 'absent' } : host),
  );
  const { external, members } = config.cluster.etcd;
  if (external === undefined || members === undefined) return { ...config, hosts };
  const endpoints = memberEndpoints(hosts);
  const http = external.httpEndpoints === undefined ? {} : { httpEndpoints: [...endpoints] };
  const etcd = { members, external: { ...external, ...http, endpoints } };
  return { ...config, hosts, cluster: { ...config.cluster, etcd } };
}

/**
 * The host of that name, present or absent.
 * @throws KeelsonError USAGE with the nearest name
 */
export function hostNamed(config: ClusterConfig, name: string): ResolvedHost {
  const host = config.hosts.find((candidate) => candidate.name === name);
  if (host !== undefined) return host;
  const names = config.hosts.map((candidate) => candidate.name);
  throw new KeelsonError('USAGE', `there is no host ${name}${didYouMean(nearest(name, names))}`, {
    hint: `the hosts of ${config.name} are ${names.join(', ')}`,
  });
}

/**
 * Names of hosts that patterns stand for, in the order of the file: `w[01-20]` counts, `w*` matches what is there.
 * @throws KeelsonError USAGE for a name that no host has, and for a pattern that matches none
 */
export function matchHosts(config: ClusterConfig, patterns: readonly string[]): string[] {
  const wanted = new Set<string>();
  for (const pattern of patterns) {
    if (!pattern.includes('*')) {
      const names = expandPattern(pattern);
      if (names === null)
        throw new KeelsonError('USAGE', `${pattern}: its brackets count nothing, or too much`, {
          hint: 'write w[01-20] or w[1,3], upwards',
        });
      for (const name of names) wanted.add(hostNamed(config, name).name);
      continue;
    }
    const shape = new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`);
    const matching = presentHosts(config).filter((host) => shape.test(host.name));
    if (matching.length === 0)
      throw new KeelsonError('USAGE', `${pattern}: no host has such a name`, {
        hint: 'see spec.hosts of the cluster file',
      });
    for (const host of matching) wanted.add(host.name);
  }
  return config.hosts.map((host) => host.name).filter((name) => wanted.has(name));
}

const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
