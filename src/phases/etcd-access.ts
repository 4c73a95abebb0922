import { type EtcdClient, etcdClient } from '../cluster/etcd.js';
import type { ClientCredentials, Endpoint } from '../cluster/tls-agent.js';
import { etcdHosts, memberAddress } from '../config/inventory.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { loopbackFor } from '../manifests/addresses.js';
import { CLIENT_PORT } from '../manifests/static-pods/etcd.js';
import { certificatePaths } from '../pki/table.js';
import type { PhaseContext } from './context.js';

/**
 * The identity by which keelson talks to etcd: the healthcheck client of a host with a member, known to all
 * members; default the first control plane's.
 */
async function etcdCredentials(
  context: PhaseContext,
  holder: string = context.first.name,
): Promise<ClientCredentials> {
  const { cluster } = context.config;
  const { cert, key } = certificatePaths(cluster, { baseName: 'etcd/healthcheck-client' });
  const ca = certificatePaths(cluster, { baseName: 'etcd/ca' }).cert;
  const read = async (path: string) => (await context.trust.file(holder, path)).toString();
  return { ca: await read(ca), cert: await read(cert), key: await read(key) };
}

/** How the etcd member on `host`, or the one at `endpoint` as that host sees it, is talked to. */
export async function etcdDoor(
  context: PhaseContext,
  host: string,
  endpoint?: Endpoint,
): Promise<{ reader: HostReader; credentials: ClientCredentials; endpoint: Endpoint }> {
  const resolved = context.hostNamed(host);
  const own = { address: loopbackFor(memberAddress(resolved)), port: CLIENT_PORT };
  // A control plane whose etcd runs on hosts of role etcd has no such identity.
  const credentials = await etcdCredentials(context, resolved.role === 'etcd' ? host : undefined);
  return { reader: context.reader(host), credentials, endpoint: endpoint ?? own };
}

/** A client of the etcd member on `host`, or of the one at `endpoint` as that host sees it. */
export async function etcdOn(context: PhaseContext, host: string, endpoint?: Endpoint): Promise<EtcdClient> {
  const door = await etcdDoor(context, host, endpoint);
  return etcdClient(door.reader, door.credentials, context.signal, door.endpoint);
}

/**
 * The connected host through whose member etcd is asked: the first control plane, or, where hosts of role etcd have
 * the members, the first one of these that stays.
 */
export function memberDoor({ config, first, facts }: PhaseContext): string {
  const hosts = etcdHosts(config);
  return (hosts.find(({ name }) => facts.has(name)) ?? hosts[0] ?? first).name;
}

/** A client of the etcd member on that host. */
export function firstMember(context: PhaseContext): Promise<EtcdClient> {
  return etcdOn(context, memberDoor(context));
}

/**
 * Address and port of a member's client URL.
 * @throws API for what is no URL
 */
export function endpointOf(clientURL: string): Endpoint {
  const match = /^https?:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d+)\/?$/.exec(clientURL);
  const address = match?.[1] ?? match?.[2];
  if (match === null || address === undefined) {
    throw new KeelsonError('API', `etcd names a client URL that can't be read: ${clientURL}`);
  }
  return { address, port: Number(match[3]) };
}
