import { attempt, checkLeaf } from './check-leaf.js';
import type { Finding } from './findings.js';
import { inspectBundle } from './inspect.js';

/** A client certificate of an etcd that is run elsewhere, with the paths that findings name. */
export interface EtcdClientFiles {
  caPem: string;
  certPem: string;
  /** null where the key was not read. */
  keyPem: string | null;
  caPath: string;
  certPath: string;
  keyPath: string;
}

/** Everything that is wrong with it: chain, usage, period, and whether the key is its own. Any name will do. */
export function checkEtcdClient(files: EtcdClientFiles, now: Date): Finding[] {
  const chain = attempt(() => inspectBundle(files.certPem, files.certPath), files.certPath);
  if ('failure' in chain) return [chain.failure];
  const { commonName } = chain.value[0];
  const expected = {
    commonName,
    organizations: [],
    usages: ['clientAuth'],
    sans: { dns: [], ips: [] },
  } as const;
  return checkLeaf(expected, files, now).map((found) => ({
    ...found,
    remedy: REMEDIES[found.code] ?? found.remedy,
  }));
}

/** keelson has no authority of this etcd, so nothing can be issued anew here. */
const REMEDIES: Partial<Record<Finding['code'], string>> = {
  expired: 'get a new one from whoever runs etcd',
  'authority-differs': 'put the CA of the etcd there that signed it',
  'usages-lacking': 'get a client certificate from whoever runs etcd',
  'key-differs': 'put the matching pair in place',
};
