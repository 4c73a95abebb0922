import { stringify } from 'yaml';
import { formatGoDuration } from './go-duration.js';
import { firstControlPlane } from './inventory.js';
import type {
  AddonSpec,
  CalicoNetwork,
  ClusterConfig,
  EndpointSpec,
  EnvVar,
  NetworkSpec,
  NodeRegistration,
  ResolvedHost,
  SshSettings,
  Timeouts,
} from './types.js';

/**
 * The whole configuration as a YAML stream, defaults included: the Cluster document, then kubeadm's. Parsed
 * again it gives the same configuration. It holds what the file holds, bootstrap tokens included.
 */
export function printConfig(config: ClusterConfig): string {
  const [cluster, ...others] = kubeadmDocuments(config);
  const { members } = config.cluster.etcd;
  // As a file says it: hosts of role etcd, and how their members run.
  const written = members === undefined ? cluster : { ...cluster, etcd: { local: members } };
  return printDocuments([clusterDocument(config), written ?? {}, ...others]);
}

/** Documents as one YAML stream that readers of YAML 1.1 and of 1.2 understand alike. */
export function printDocuments(documents: readonly object[]): string {
  const options = { compat: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false } as const;
  return documents.map((document) => stringify(document, withoutEmptyVariables, options)).join('---\n');
}

/** A variable has a value or a source: kubeadm writes no empty value. */
function withoutEmptyVariables(key: unknown, value: unknown): unknown {
  if (key !== 'extraEnvs' || !Array.isArray(value)) return value;
  return value.map(({ value: text, ...rest }: EnvVar) => (text === '' ? rest : { ...rest, value: text }));
}

/**
 * The documents that kubeadm itself reads. A JoinConfiguration stands here only where it differs from what
 * InitConfiguration says, and without discovery: kubeadm would want that added.
 */
export function kubeadmDocuments(config: ClusterConfig): object[] {
  const { members: _, ...etcd } = config.cluster.etcd;
  const documents: object[] = [{ ...config.cluster, etcd }, initDocument(config)];
  const join = joinDocument(config);
  if (join !== null) documents.push(join);
  return [...documents, config.kubelet, config.kubeProxy];
}

function clusterDocument(config: ClusterConfig): object {
  const { network, endpoint, bundle, bundlePublicKey, addons, ...spec } = config.spec;
  const [any] = config.hosts;
  return {
    apiVersion: 'keelson.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: config.name },
    spec: {
      ...(any === undefined ? {} : { ssh: sharedSsh(any.ssh) }),
      hosts: config.hosts.map((host) => hostEntry(host, host === firstControlPlane(config))),
      network: networkEntry(network),
      ...(endpoint === null ? {} : { endpoint: endpointEntry(endpoint) }),
      ...(bundle === null
        ? {}
        : { bundle: bundlePublicKey === undefined ? bundle : { path: bundle, publicKey: bundlePublicKey } }),
      ...(addons.length === 0 ? {} : { addons: addons.map(addonEntry) }),
      ...spec,
    },
  };
}

function addonEntry({ waitMs, needs, ...addon }: AddonSpec): object {
  return { ...addon, ...(needs.length === 0 ? {} : { needs }), wait: formatGoDuration(waitMs) };
}

/** The address of a node-local endpoint is no choice. */
function endpointEntry(endpoint: EndpointSpec): object {
  if (endpoint.provider !== 'node-local') return endpoint;
  return { provider: endpoint.provider, port: endpoint.port, expose: endpoint.expose };
}

/** Without settings that mean nothing to flannel's backend. */
function networkEntry(network: NetworkSpec): object {
  if (network.plugin === 'calico') return calicoEntry(network);
  if (network.plugin !== 'flannel') return network;
  const { port, vni, directRouting, ...common } = network;
  switch (network.backend) {
    case 'vxlan':
      return network;
    case 'wireguard':
      return { ...common, port };
    case 'host-gw':
      return common;
  }
}

/** Without what means nothing to its mode. */
function calicoEntry({ plugin, mode, encapsulation, bgp, ...settings }: CalicoNetwork): object {
  return {
    plugin,
    calico: {
      ...settings,
      mode,
      ...(mode === 'mixed' ? { encapsulation } : {}),
      ...(mode === 'vxlan' ? {} : { bgp }),
    },
  };
}

function sharedSsh({ knownHostsFiles, agent, useSshConfig }: SshSettings): object {
  return {
    ...(knownHostsFiles.length > 0 ? { knownHostsFile: knownHostsFiles } : {}),
    agent,
    useSshConfig,
  };
}

function hostEntry(host: ResolvedHost, first: boolean): object {
  const { ssh } = host;
  return {
    name: host.name,
    role: host.role,
    state: host.state,
    address: ssh.address,
    ...(ssh.port === 0 ? {} : { port: ssh.port }),
    ...(ssh.user === '' ? {} : { user: ssh.user }),
    ...(ssh.identityFile === undefined ? {} : { identityFile: ssh.identityFile }),
    ...(ssh.hostKeyFingerprint === undefined ? {} : { hostKeyFingerprint: ssh.hostKeyFingerprint }),
    jumpHosts: ssh.jumpHosts,
    nodeIP: [host.nodeIP, ...(host.secondaryNodeIP === undefined ? [] : [host.secondaryNodeIP])].join(','),
    ...(host.localAPIEndpoint === null ? {} : { advertiseAddress: host.localAPIEndpoint.advertiseAddress }),
    ...(host.architecture === undefined ? {} : { architecture: host.architecture }),
    labels: host.labels,
    ...(host.patchesDirectory === null || first ? {} : { patches: host.patchesDirectory }),
    ...(first ? {} : { nodeRegistration: host.nodeRegistration }),
  };
}

function initDocument(config: ClusterConfig): object {
  const first = firstControlPlane(config);
  const { bootstrapTokens, certificateKey, skipPhases, timeouts } = config.init;
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'InitConfiguration',
    ...(bootstrapTokens.length > 0 ? { bootstrapTokens } : {}),
    ...(certificateKey === undefined ? {} : { certificateKey }),
    localAPIEndpoint: first.localAPIEndpoint,
    nodeRegistration: registration(first.nodeRegistration),
    ...(first.patchesDirectory === null ? {} : { patches: { directory: first.patchesDirectory } }),
    ...(skipPhases.length > 0 ? { skipPhases } : {}),
    timeouts,
  };
}

/** kubeadm prints taints also where they are left to it. */
const registration = (value: NodeRegistration): object => ({ ...value, taints: value.taints ?? null });

function joinDocument(config: ClusterConfig): object | null {
  const first = firstControlPlane(config);
  const ports = config.hosts.map(
    (host) => host.localAPIEndpoint?.bindPort ?? first.localAPIEndpoint.bindPort,
  );
  const bindPort = ports.find((port) => port !== first.localAPIEndpoint.bindPort);
  const timeouts = differing(config.joinTimeouts, config.init.timeouts);
  if (bindPort === undefined && timeouts === null) return null;
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'JoinConfiguration',
    ...(bindPort === undefined ? {} : { controlPlane: { localAPIEndpoint: { bindPort } } }),
    ...(timeouts === null ? {} : { timeouts }),
  };
}

function differing(own: Timeouts, base: Timeouts): Partial<Timeouts> | null {
  const entries = Object.entries(own).filter(([name, value]) => base[name as keyof Timeouts] !== value);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}
