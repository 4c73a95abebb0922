import { readFile, writeFile } from 'node:fs/promises';
import { type Document, isMap, isSeq, parseAllDocuments, stringify, type YAMLMap } from 'yaml';
import { withNetwork } from './lab-network.js';
import { API_NAME } from './node-files.js';
import type { ClusterFileOutcome, LabEndpoint, LabNetwork, LabNode, LabProxyMode } from './types.js';

export interface ClusterFileSpec {
  name: string;
  nodes: readonly LabNode[];
  kubernetesVersion: string;
  bundle: string;
  /** Default: external with several control planes, none with one. */
  endpoint?: LabEndpoint | undefined;
  /** For keepalived-haproxy: an address that no machine has. */
  virtualAddress: string;
  /** Default: flannel with vxlan. */
  network?: LabNetwork | undefined;
  /** kube-proxy's mode. */
  proxyMode?: LabProxyMode | undefined;
  /** cgroup mode of this computer, which its machines share. */
  cgroupVersion: 1 | 2;
}

/** Machines share this computer's disk, so the kubelet's thresholds in percent of it mean nothing. */
const EVICTION = {
  'memory.available': '50Mi',
  'nodefs.available': '1%',
  'nodefs.inodesFree': '1%',
  'imagefs.available': '1%',
};

/** `spec.endpoint` of a lab. */
function endpointEntry(endpoint: LabEndpoint, virtualAddress: string): Record<string, unknown> {
  switch (endpoint) {
    case 'external':
      return { provider: 'external', address: API_NAME };
    case 'keepalived-haproxy':
      return { provider: 'keepalived-haproxy', address: virtualAddress };
    case 'node-local':
      // So that this computer, which has no load balancer of its own, can use that of a machine.
      return { provider: 'node-local', expose: true };
  }
}

const SINGLE_STACK = { podSubnet: '10.244.0.0/16' };
const DUAL_STACK = {
  podSubnet: '10.244.0.0/16,fd88:10:244::/56',
  serviceSubnet: '10.96.0.0/12,fd88:10:96::/112',
};

/** A machine as the cluster file lists it. */
function hostEntry({ name, role, address, address6 }: LabNode): ClusterHost {
  return { name, role, address, ...(address6 === undefined ? {} : { nodeIP: `${address},${address6}` }) };
}

/** At its default of 20 requests a second the controller manager takes five seconds to start its controllers. */
const CONTROLLER_MANAGER_ARGS = [
  { name: 'kube-api-qps', value: '200' },
  { name: 'kube-api-burst', value: '400' },
];

/** cluster.yaml of a lab as it is first written; paths in it count from the file's own directory. */
export function clusterFileText(spec: ClusterFileSpec): string {
  const v1 = spec.cgroupVersion === 1;
  const several = spec.nodes.filter((node) => node.role === 'control-plane').length > 1;
  const endpoint = spec.endpoint ?? (several ? 'external' : undefined);
  const documents = [
    {
      apiVersion: 'keelson.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: spec.name },
      spec: {
        ssh: { user: 'root', identityFile: './id_ed25519', knownHostsFile: './known_hosts' },
        hosts: spec.nodes.map(hostEntry),
        ...(endpoint === undefined ? {} : { endpoint: endpointEntry(endpoint, spec.virtualAddress) }),
        network: { plugin: 'flannel', backend: 'vxlan' },
        bundle: spec.bundle,
        runtime: { systemdCgroup: false, restrictOomScoreAdj: true },
        // kubeadm's SystemVerification refuses cgroup v1.
        ...(v1 ? { ignorePreflightErrors: ['SystemVerification'] } : {}),
      },
    },
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: spec.kubernetesVersion,
      networking: spec.nodes.some((node) => node.address6 !== undefined) ? DUAL_STACK : SINGLE_STACK,
      controllerManager: { extraArgs: CONTROLLER_MANAGER_ARGS },
    },
    {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      cgroupDriver: 'cgroupfs',
      failSwapOn: false,
      ...(v1 ? { failCgroupV1: false } : {}),
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      evictionHard: EVICTION,
    },
    {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      conntrack: { maxPerCore: 0 },
    },
  ];
  const text = documents.map((document) => stringify(document, { compat: 'yaml-1.1' })).join('---\n');
  return `# Written by keelson lab up; yours to edit. A later lab up only adds hosts or corrects their addresses.\n${text}`;
}

/** A host as it is to stand in a cluster file: fields of `spec.hosts[]`. */
export type ClusterHost = Readonly<Record<string, string | number>> & { readonly name: string };

/** `withClusterHosts` for the nodes of a lab: roles and addresses. */
export function withHosts(text: string, nodes: readonly LabNode[]): string {
  return withClusterHosts(text, nodes.map(hostEntry));
}

/**
 * `text` with `entries` among its hosts: missing ones appended, their fields set right. All else, comments
 * included, stays. Returns `text` itself where nothing has to change, and where it is no cluster file that can
 * be read: whoever loads it says what is wrong, with the line.
 */
export function withClusterHosts(text: string, entries: readonly ClusterHost[]): string {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return text;
  if (documents.some((document) => document.errors.length > 0)) return text;
  const cluster = documents.find((document) => document.get('kind') === 'Cluster') as Document | undefined;
  const hosts = cluster?.getIn(['spec', 'hosts']);
  if (cluster === undefined || !isSeq(hosts)) return text;
  let changed = false;
  for (const entry of entries) {
    const item = hosts.items.find((host) => isMap(host) && host.get('name') === entry.name) as
      | YAMLMap
      | undefined;
    if (item === undefined) {
      hosts.add(cluster.createNode(entry));
      changed = true;
      continue;
    }
    for (const [key, value] of Object.entries(entry)) {
      if (item.get(key) === value) continue;
      item.set(key, value);
      changed = true;
    }
  }
  return changed ? documents.map(String).join('') : text;
}

/**
 * `text` with that endpoint in place of the one it has; a controlPlaneEndpoint of its own is taken out, since it
 * follows. As for unreadable files, see `withHosts`.
 */
export function withEndpoint(text: string, endpoint: LabEndpoint, virtualAddress: string): string {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return text;
  if (documents.some((document) => document.errors.length > 0)) return text;
  const named = (kind: string) =>
    documents.find((document) => document.get('kind') === kind) as Document | undefined;
  const cluster = named('Cluster');
  const before = cluster?.getIn(['spec', 'endpoint', 'provider']);
  if (cluster === undefined || before === endpoint) return text;
  cluster.setIn(['spec', 'endpoint'], cluster.createNode(endpointEntry(endpoint, virtualAddress)));
  named('ClusterConfiguration')?.delete('controlPlaneEndpoint');
  return documents.map(String).join('');
}

/** Writes cluster.yaml (0644), or brings only the hosts of an existing one up to date, and what else is asked for. */
export async function writeClusterFile(path: string, spec: ClusterFileSpec): Promise<ClusterFileOutcome> {
  const existing = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const hosts = existing === null ? clusterFileText(spec) : withHosts(existing, spec.nodes);
  const reached =
    spec.endpoint === undefined ? hosts : withEndpoint(hosts, spec.endpoint, spec.virtualAddress);
  const text = withNetwork(reached, spec);
  if (text === existing) return 'kept';
  await writeFile(path, text, { mode: 0o644 });
  return existing === null ? 'written' : 'updated';
}
