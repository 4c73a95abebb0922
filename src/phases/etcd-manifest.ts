import { parse } from 'yaml';
import type { ReadResult } from '../host/types.js';
import type { EtcdMembership } from '../manifests/static-pods/etcd.js';
import { MANIFESTS_DIR } from './paths.js';

export const ETCD_MANIFEST = `${MANIFESTS_DIR}/etcd.yaml`;

/**
 * The membership that the manifest on a host was written with; null where there is none. It only matters at a
 * member's first start and stays what it was, however the members change later.
 */
export function membershipIn(seen: ReadResult): Required<EtcdMembership> | null {
  const flag = argumentsIn(seen, ETCD_MANIFEST)?.flag ?? (() => undefined);
  const members = flag('initial-cluster');
  if (members === undefined) return null;
  return {
    initialCluster: members.split(',').map((entry) => {
      const at = entry.indexOf('=');
      return { name: entry.slice(0, at), peerURL: entry.slice(at + 1) };
    }),
    initialClusterState: flag('initial-cluster-state') === 'existing' ? 'existing' : 'new',
  };
}

/** Image and flags of the etcd that a manifest at `path` describes; null where there is none. */
export function argumentsIn(
  seen: ReadResult,
  path: string,
): { image: string | undefined; flag: (name: string) => string | undefined } | null {
  const text = seen.files.get(path)?.content?.toString();
  if (text === undefined) return null;
  const pod = parse(text) as { spec?: { containers?: { image?: string; command?: string[] }[] } } | null;
  const container = pod?.spec?.containers?.[0];
  return {
    image: container?.image,
    flag: (name) =>
      container?.command?.find((word) => word.startsWith(`--${name}=`))?.slice(`--${name}=`.length),
  };
}
