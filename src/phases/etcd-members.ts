import { type EtcdClient, etcdClient } from '../cluster/etcd.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { certificatePaths } from '../pki/table.js';
import type { PhaseContext } from './context.js';

/** A client of the etcd member on the first control plane. */
export async function firstMember(context: PhaseContext): Promise<EtcdClient> {
  const { cluster } = context.config;
  const { cert, key } = certificatePaths(cluster, { baseName: 'etcd/healthcheck-client' });
  const ca = certificatePaths(cluster, { baseName: 'etcd/ca' }).cert;
  const read = async (path: string) => (await context.trust.file(context.first.name, path)).toString();
  const credentials = { ca: await read(ca), cert: await read(cert), key: await read(key) };
  return etcdClient(context.reader(context.first.name), credentials, context.signal);
}

/** Asks etcd for its members. An etcd that does not answer is no error: then nothing is known. */
export async function refreshMembers(context: PhaseContext): Promise<void> {
  // Before the first start there is nothing that could answer, and no certificate to ask with.
  if (!context.established && context.api() === null) return context.members.seen(null);
  const client = await firstMember(context);
  try {
    context.members.seen(await client.members());
  } catch (error) {
    if (!(error instanceof KeelsonError) || (error.code !== 'CONNECTION' && error.code !== 'CONFLICT'))
      throw error;
    context.members.seen(null);
  } finally {
    await client.close();
  }
}
