import { readFile, writeFile } from 'node:fs/promises';
import { type Document, isMap, isSeq, parseAllDocuments } from 'yaml';
import { KeelsonError } from '../../errors/keelson-error.js';
import { type ClusterHost, withClusterHosts } from '../cluster-file.js';
import { parseNodeName } from '../names.js';
import type { ClusterFileOutcome } from '../types.js';
import type { VagrantNode } from './state.js';

/** Network of the machines in the profiles' files. */
export const DEFAULT_SUBNET = '192.168.56.0/24';

const prefixOf = (subnet: string) => subnet.replace(/0\/24$/, '');

export interface VagrantClusterSpec {
  name: string;
  subnet: string;
  kubernetesVersion: string;
  /** As it is to stand in the file. */
  bundle: string;
}

/** A profile's cluster.yaml with the addresses of the lab's network. */
function readdressed(profile: string, subnet: string): string {
  return profile.replaceAll(prefixOf(DEFAULT_SUBNET), prefixOf(subnet));
}

function documentOf(text: string, kind: string): [Document.Parsed[], Document.Parsed] {
  const documents = parseAllDocuments(text);
  const found = Array.isArray(documents)
    ? documents.find((document) => document.get('kind') === kind)
    : undefined;
  if (!Array.isArray(documents) || found === undefined)
    throw new KeelsonError('BUG', `the profile's cluster.yaml has no ${kind}`);
  return [documents, found];
}

/** The machines of a profile, as its cluster.yaml names them. */
export function profileNodes(profile: string, subnet: string): VagrantNode[] {
  const [, cluster] = documentOf(readdressed(profile, subnet), 'Cluster');
  const hosts = cluster.getIn(['spec', 'hosts']);
  if (!isSeq(hosts)) return [];
  return hosts.items.filter(isMap).map((host) => {
    const name = String(host.get('name'));
    return {
      name,
      role: parseNodeName(name)?.role ?? 'worker',
      nodeIP: String(host.get('address')),
      login: null,
    };
  });
}

/** A host as it stands in the lab's cluster.yaml; null while nobody has logged in to it. */
function hostOf({ name, role, nodeIP, login }: VagrantNode): ClusterHost | null {
  if (login === null) return null;
  const { address, port, user, identityFile } = login;
  return { name, role, address, port, user, identityFile, nodeIP };
}

/**
 * cluster.yaml of a Vagrant lab as it is first written: the profile's, comments included, with the lab's name,
 * version, bundle and network, and with how Vagrant logs in to each machine.
 */
export function vagrantClusterText(
  profile: string,
  nodes: readonly VagrantNode[],
  spec: VagrantClusterSpec,
): string {
  const [documents, cluster] = documentOf(readdressed(profile, spec.subnet), 'Cluster');
  cluster.setIn(['metadata', 'name'], spec.name);
  cluster.setIn(['spec', 'ssh'], cluster.createNode({ knownHostsFile: './known_hosts' }));
  cluster.setIn(['spec', 'bundle'], spec.bundle);
  const kubeadm = documents.find((document) => document.get('kind') === 'ClusterConfiguration');
  kubeadm?.set('kubernetesVersion', spec.kubernetesVersion);
  return withVagrantHosts(documents.map(String).join(''), nodes);
}

/** `text` with the machines' logins among its hosts; all else stays. */
export function withVagrantHosts(text: string, nodes: readonly VagrantNode[]): string {
  return withClusterHosts(
    text,
    nodes.map(hostOf).filter((host) => host !== null),
  );
}

/** Writes cluster.yaml (0644), or brings only the hosts of an existing one up to date. */
export async function writeVagrantClusterFile(
  path: string,
  profile: string,
  nodes: readonly VagrantNode[],
  spec: VagrantClusterSpec,
): Promise<ClusterFileOutcome> {
  const existing = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const text =
    existing === null ? vagrantClusterText(profile, nodes, spec) : withVagrantHosts(existing, nodes);
  if (text === existing) return 'kept';
  await writeFile(path, text, { mode: 0o644 });
  return existing === null ? 'written' : 'updated';
}
