import { readFile } from 'node:fs/promises';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { checkEtcdClient } from '../pki/check-etcd-client.js';
import { isError } from '../pki/findings.js';

/**
 * The client certificate of an external etcd that lies on this machine, by its paths on the control planes; empty
 * where the file names none.
 * @throws CONFIG for files that can't be read, PKI for what is wrong with them
 */
export async function etcdClientFiles(
  config: ClusterConfig,
  now: () => number,
): Promise<ReadonlyMap<string, Buffer>> {
  const here = config.spec.externalEtcd;
  const there = config.cluster.etcd.external;
  if (here === undefined || there === undefined) return new Map();
  const [ca, cert, key] = await Promise.all([here.caFile, here.certFile, here.keyFile].map(read));
  if (ca === undefined || cert === undefined || key === undefined) return new Map();
  const findings = checkEtcdClient(
    {
      caPem: ca.toString(),
      certPem: cert.toString(),
      keyPem: key.toString(),
      caPath: here.caFile,
      certPath: here.certFile,
      keyPath: here.keyFile,
    },
    new Date(now()),
  );
  const [first] = findings.filter(isError);
  if (first !== undefined) {
    throw new KeelsonError('PKI', `${first.path} ${first.message}`, {
      hint: first.remedy,
      details: findings,
    });
  }
  return new Map([
    [there.caFile, ca],
    [there.certFile, cert],
    [there.keyFile, key],
  ]);
}

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new KeelsonError('CONFIG', `${path} can't be read`, { cause, hint: 'correct spec.externalEtcd' });
  });
}
