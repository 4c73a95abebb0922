import { parse } from 'yaml';
import type { ReadResult } from '../../host/types.js';
import type { EtcdMember, EtcdMembership } from '../../manifests/static-pods/etcd.js';
import { MANIFESTS_DIR } from '../paths.js';

export const ETCD_MANIFEST = `${MANIFESTS_DIR}/etcd.yaml`;

/**
 * The membership that the manifest on a host began with; null where there is no manifest. It stays what it
 * was: etcd reads it at its first start only.
 */
export function membershipOf(seen: ReadResult): (EtcdMembership & { initialCluster: EtcdMember[] }) | null {
  const text = seen.files.get(ETCD_MANIFEST)?.content?.toString();
  if (text === undefined) return null;
  const pod = parse(text) as { spec?: { containers?: { command?: string[] }[] } };
  const command = pod.spec?.containers?.[0]?.command ?? [];
  const flag = command.find((word) => word.startsWith('--initial-cluster='));
  if (flag === undefined) return null;
  const initialCluster = flag
    .slice('--initial-cluster='.length)
    .split(',')
    .map((entry) => {
      const at = entry.indexOf('=');
      return { name: entry.slice(0, at), peerURL: entry.slice(at + 1) };
    });
  const joined = command.includes('--initial-cluster-state=existing');
  return { initialCluster, initialClusterState: joined ? 'existing' : 'new' };
}
