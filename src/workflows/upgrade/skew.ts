import { error, type Finding } from '../../phases/preflight/check.js';
import { compareVersions, type Hop, minorsBetween } from './path.js';

/** How many minors a kubelet or kube-proxy may be behind the API server (kubernetes.io/releases/version-skew-policy). */
const NODE_SKEW = 3;

export interface RunningVersions {
  /** API servers by host. */
  apiServers: ReadonlyMap<string, string>;
  /** Kubelets by node, and whether the file has the node. */
  kubelets: readonly { node: string; version: string; managed: boolean }[];
}

const SKEW = 'VersionSkew';

/** What the skew policy has against a path. Pure. */
export function skewFindings(running: RunningVersions, path: readonly Hop[]): Finding[] {
  const [first] = path;
  const last = path.at(-1);
  if (first === undefined || last === undefined) return [];
  const servers = [...running.apiServers].sort(([, a], [, b]) => compareVersions(a, b));
  const [oldest] = servers;
  const newest = servers.at(-1);
  return [
    ...(oldest !== undefined && newest !== undefined && minorsBetween(oldest[1], newest[1]) > 1
      ? [
          {
            host: oldest[0],
            ...error(
              SKEW,
              `its API server runs ${oldest[1]}, that of ${newest[0]} ${newest[1]}: API servers may differ by one minor`,
              `bring ${oldest[0]} to ${newest[1]} first`,
            ),
          },
        ]
      : []),
    ...running.kubelets.flatMap(({ node, version, managed }) => {
      // A kubelet of a host goes with every step; one that the file does not have stays what it is.
      const target = managed ? first.to : last.to;
      if (compareVersions(version, last.to) > 0 && minorsBetween(last.to, version) > 0) {
        const message = `its kubelet runs ${version}, newer than ${last.to} will be: a kubelet must not be newer than the API server`;
        return [{ host: node, ...error(SKEW, message, `upgrade to ${version} or newer`) }];
      }
      if (minorsBetween(version, target) <= NODE_SKEW) return [];
      const message = `its kubelet runs ${version}, more than ${NODE_SKEW} minors behind ${target}`;
      const remedy = managed
        ? `bring its kubelet to v1.${Number(/\.(\d+)\./.exec(first.from)?.[1])} first`
        : 'upgrade or remove the node first: the cluster file does not have it';
      return [{ host: node, ...error(SKEW, message, remedy) }];
    }),
  ];
}
