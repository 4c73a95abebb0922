import { type EtcdClient, etcdClient } from '../../cluster/etcd.js';
import type { ClientCredentials, Endpoint } from '../../cluster/tls-agent.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { certificatePaths } from '../../pki/table.js';
import type { PhaseContext } from '../context.js';

/** The identity by which keelson talks to etcd: the first control plane's healthcheck client, known to all members. */
export async function etcdCredentials(context: PhaseContext): Promise<ClientCredentials> {
  const { cluster } = context.config;
  const { cert, key } = certificatePaths(cluster, { baseName: 'etcd/healthcheck-client' });
  const ca = certificatePaths(cluster, { baseName: 'etcd/ca' }).cert;
  const read = async (path: string) => (await context.trust.file(context.first.name, path)).toString();
  return { ca: await read(ca), cert: await read(cert), key: await read(key) };
}

/** A client of the etcd member on `host`, or of the one at `endpoint` as that host sees it. */
export async function etcdOn(context: PhaseContext, host: string, endpoint?: Endpoint): Promise<EtcdClient> {
  return etcdClient(context.reader(host), await etcdCredentials(context), context.signal, endpoint);
}

/** A client of the etcd member on the first control plane. */
export function firstMember(context: PhaseContext): Promise<EtcdClient> {
  return etcdOn(context, context.first.name);
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
