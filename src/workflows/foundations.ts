import { posix } from 'node:path';
import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { contains, formatCidr, nthAddress, parseCidr, parseCidrs } from '../config/cidr.js';
import { memberSettings } from '../config/inventory.js';
import type { ResolvedHost } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { ReadRequest, ReadResult } from '../host/types.js';
import { CERTIFICATE_PROBE } from '../phases/certs/kubelet-client.js';
import type { PhaseContext } from '../phases/context.js';
import { KUBELET_CLIENT_CERTIFICATE, MANIFESTS_DIR } from '../phases/paths.js';
import { exists } from '../phases/seen.js';
import { inspectBundle } from '../pki/inspect.js';
import { certificatePaths } from '../pki/table.js';
import type { Session } from './session.js';

/*
 * What a running cluster is built on: who its nodes are, where its keys and data lie, its address ranges, its
 * domain. Written otherwise into the file of a running cluster it would make half of it a new one.
 */

const ETCD_MANIFEST = `${MANIFESTS_DIR}/etcd.yaml`;
const NODE_CERTIFICATE = 'node-certificate';
const API_MANIFEST = `${MANIFESTS_DIR}/kube-apiserver.yaml`;

/** What of a host tells what it is a part of. */
export function foundationsOn(context: PhaseContext, host: string): ReadRequest {
  const { cluster } = context.config;
  const data = memberSettings(cluster, context.hostNamed(host))?.dataDir;
  return {
    files: [ETCD_MANIFEST, API_MANIFEST],
    probes: { [NODE_CERTIFICATE]: CERTIFICATE_PROBE },
    stats: [
      certificatePaths(cluster, { baseName: 'ca' }).cert,
      ...(data === undefined ? [] : [memberOf(data)]),
    ],
  };
}

/** Each connected host's answer to `foundationsOn`. */
export async function readFoundations({ context, hosts }: Session): Promise<Map<string, ReadResult>> {
  const { signal } = context;
  const answers = [...hosts].map(
    async ([name, host]) => [name, await host.read(foundationsOn(context, name), { signal })] as const,
  );
  return new Map(await Promise.all(answers));
}

/**
 * Refuses a file that calls a node by another's name, or has its cluster's keys or data in another place.
 * @param observed each host's answer to `foundationsOn`
 * @throws CONFLICT naming all that differs, in the order of the file's hosts
 */
export function refuseOtherHosts(context: PhaseContext, observed: ReadonlyMap<string, ReadResult>): void {
  const found = context.config.hosts.flatMap((host) => {
    const seen = observed.get(host.name);
    if (seen === undefined) return [];
    return [otherNode(host, seen), ...otherPlaces(context, host, seen)].filter((text) => text !== null);
  });
  if (found.length === 0) return;
  throw conflict(
    found,
    'write these fields as they were; a node gets another name by keelson node remove, and an apply with its new one',
  );
}

/**
 * Refuses ranges and a domain that the nodes, Services and pods of the running cluster are not in.
 * @param client of an API that answers
 * @throws CONFLICT naming all that differs
 */
export async function refuseOtherNetworking(context: PhaseContext, client: ClusterClient): Promise<void> {
  const [nodes, service, uploaded] = await Promise.all([
    client.list('/api/v1/nodes'),
    client.get({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'kubernetes' }),
    client.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'kubeadm-config' }),
  ]);
  const { podSubnet, serviceSubnet, dnsDomain } = context.config.cluster.networking;
  const found = [
    outsidePods(podSubnet, nodes),
    otherServices(serviceSubnet, service),
    otherDomain(dnsDomain, uploaded),
  ].filter((text) => text !== null);
  if (found.length === 0) return;
  throw conflict(
    found,
    'nodes, Services and pods keep what they were made with: write these fields as they were, or make a new cluster',
  );
}

function conflict(found: readonly string[], hint: string): KeelsonError {
  return new KeelsonError(
    'CONFLICT',
    `the file can't be that of the cluster that runs:\n${found.map((line) => `  ${line}`).join('\n')}`,
    { hint },
  );
}

const memberOf = (dataDir: string): string => `${dataDir}/member`;

function otherNode(host: ResolvedHost, seen: ReadResult): string | null {
  const node = nodeOf(seen.probes.get(NODE_CERTIFICATE)?.stdout ?? '');
  const wanted = host.nodeRegistration.name;
  if (host.role === 'etcd' || node === undefined || node === wanted) return null;
  return `${host.name}: the machine at ${host.ssh.address} is the node ${node}, not ${wanted}`;
}

/** The node that a kubelet's certificate is for; what can't be read is for its own phase to tell. */
function nodeOf(pem: string): string | undefined {
  try {
    return /^system:node:(.+)$/.exec(inspectBundle(pem, KUBELET_CLIENT_CERTIFICATE)[0].commonName)?.[1];
  } catch {
    return undefined;
  }
}

function otherPlaces({ config }: PhaseContext, host: ResolvedHost, seen: ReadResult): (string | null)[] {
  const { cluster } = config;
  const text = (path: string) => seen.files.get(path)?.content?.toString('utf8') ?? '';
  const flag = (path: string, name: string) =>
    new RegExp(`^\\s*- ["']?--${name}=([^\\s"']+)`, 'm').exec(text(path))?.[1];

  const data = flag(ETCD_MANIFEST, 'data-dir');
  const wanted = memberSettings(cluster, host)?.dataDir;
  const moved = (): string | null => {
    if (data === undefined) return null;
    if (wanted === undefined)
      return `${host.name}: etcd runs on it, with the cluster's data in ${data}; the file has etcd elsewhere`;
    if (data === wanted || exists(seen, memberOf(wanted))) return null;
    return `${host.name}: etcd's data is in ${data}, dataDir is ${wanted}`;
  };
  const ca = certificatePaths(cluster, { baseName: 'ca' }).cert;
  const clientCa = flag(API_MANIFEST, 'client-ca-file');
  const elsewhere =
    clientCa !== undefined && clientCa !== ca && posix.basename(clientCa) === posix.basename(ca);
  const keys =
    !elsewhere || exists(seen, ca)
      ? null
      : `${host.name}: the certificates are in ${posix.dirname(clientCa)}, certificatesDir is ${cluster.certificatesDir}`;
  return [moved(), keys];
}

function outsidePods(podSubnet: string | undefined, nodes: readonly KubeObject[]): string | null {
  const ranges = parseCidrs(podSubnet ?? '');
  if (ranges === null) return null;
  const outside = nodes.flatMap(({ metadata: { name }, spec }) => {
    const { podCIDR, podCIDRs } = (spec ?? {}) as { podCIDR?: string; podCIDRs?: string[] };
    const own = (podCIDRs ?? [podCIDR]).flatMap((text) => parseCidr(text ?? '') ?? []);
    const inside = own.filter((cidr) =>
      ranges.some(
        (range) => range.prefix <= cidr.prefix && contains(range, formatCidr(cidr).split('/')[0] ?? ''),
      ),
    );
    if (own.length === 0 || (inside.length === own.length && own.length >= ranges.length)) return [];
    return [`${name} ${own.map(formatCidr).join(',')}`];
  });
  if (outside.length === 0) return null;
  return `networking.podSubnet ${podSubnet}: nodes have other ranges: ${outside.join(', ')}`;
}

function otherServices(serviceSubnet: string, service: KubeObject | null): string | null {
  const { clusterIP } = (service?.spec ?? {}) as { clusterIP?: string };
  if (clusterIP === undefined || clusterIP === nthAddress(serviceSubnet, 1)) return null;
  return `networking.serviceSubnet ${serviceSubnet}: the Service kubernetes has ${clusterIP}, which is not its first address`;
}

function otherDomain(dnsDomain: string, uploaded: KubeObject | null): string | null {
  const text = (uploaded?.data as { ClusterConfiguration?: string } | undefined)?.ClusterConfiguration ?? '';
  const runs = /^\s+dnsDomain:\s*["']?([^\s"']+)/m.exec(text)?.[1];
  if (runs === undefined || runs === dnsDomain) return null;
  return `networking.dnsDomain ${dnsDomain}: pods know the cluster as ${runs}`;
}
