import { type EtcdClient, etcdClient } from '../../cluster/etcd.js';
import type { ClientCredentials } from '../../cluster/tls-agent.js';
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

/** A client of the etcd member on `host`. */
export async function etcdOn(context: PhaseContext, host: string): Promise<EtcdClient> {
  return etcdClient(context.reader(host), await etcdCredentials(context), context.signal);
}

/** A client of the etcd member on the first control plane. */
export function firstMember(context: PhaseContext): Promise<EtcdClient> {
  return etcdOn(context, context.first.name);
}
