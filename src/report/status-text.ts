import { table } from './table.js';

/** What the text needs of a cluster's status. */
export interface StatusView {
  cluster: string;
  healthy: boolean;
  problems: readonly string[];
  hosts: readonly {
    name: string;
    role: string;
    reachable: boolean;
    error?: string;
    os?: string;
    kernel?: string;
    uptimeSeconds?: number;
    kubelet?: string;
    kubeletVersion?: string;
    containerd?: string;
    containerdVersion?: string;
  }[];
  nodes: readonly { name: string; ready: boolean; version: string; roles: readonly string[] }[];
  api: { readyz: string };
  controlPlane: readonly { host: string; component: string; state: string }[];
  addons: readonly { name: string; ready: number; wanted: number }[];
  certificates: {
    soonest: Certificate | null;
    expiring: readonly Certificate[];
  };
  drift: { changes: number | null; reason?: string };
}

interface Certificate {
  host: string;
  path: string;
  expires: string;
  daysLeft: number;
}

/** A cluster's status for people: tables of hosts and control plane, then a line for each other thing. */
export function statusText(status: StatusView): string {
  const components = [...new Set(status.controlPlane.map((entry) => entry.component))];
  const planes = [...new Set(status.controlPlane.map((entry) => entry.host))];
  const state = (host: string, component: string) =>
    status.controlPlane.find((entry) => entry.host === host && entry.component === component)?.state ?? '-';
  const hosts = table(
    ['HOST', 'ROLE', 'SSH', 'UPTIME', 'OS', 'KERNEL', 'KUBELET', 'CONTAINERD', 'NODE'],
    status.hosts.map((host) => {
      const node = status.nodes.find((candidate) => candidate.name === host.name);
      return [
        host.name,
        host.role,
        host.reachable ? 'ok' : 'unreachable',
        host.uptimeSeconds === undefined ? '-' : age(host.uptimeSeconds),
        host.os ?? '-',
        host.kernel ?? '-',
        unit(host.kubelet, host.kubeletVersion),
        unit(host.containerd, host.containerdVersion),
        node === undefined ? '-' : `${node.ready ? 'Ready' : 'NotReady'} ${node.version}`,
      ];
    }),
  );
  const foreign = status.nodes.filter((node) => !status.hosts.some((host) => host.name === node.name));
  const { soonest, expiring } = status.certificates;
  const lines = [
    `api           ${status.api.readyz}`,
    ...(status.addons.length === 0
      ? []
      : [
          `add-ons       ${status.addons.map(({ name, ready, wanted }) => `${name} ${ready}/${wanted}`).join(', ')}`,
        ]),
    ...(foreign.length === 0
      ? []
      : [
          `other nodes   ${foreign.map((node) => `${node.name} ${node.ready ? 'Ready' : 'NotReady'}`).join(', ')}`,
        ]),
    `certificates  ${soonest === null ? 'none found' : `soonest ${described(soonest)}`}`,
    ...expiring.map((certificate) => `  expiring    ${described(certificate)}`),
    `drift         ${driftOf(status.drift)}`,
  ];
  const verdict = status.healthy
    ? `${status.cluster} is healthy.`
    : [`${status.cluster} is not healthy:`, ...status.problems.map((problem) => `  ✖ ${problem}`)].join('\n');
  const plane = table(
    ['CONTROL PLANE', ...components],
    planes.map((host) => [host, ...components.map((component) => state(host, component))]),
  );
  return `${hosts}\n${plane}\n${lines.join('\n')}\n\n${verdict}\n`;
}

const unit = (active: string | undefined, version: string | undefined) =>
  active === undefined
    ? '-'
    : [version, active === 'active' ? '' : active].filter(Boolean).join(' ') || active;

const described = ({ host, path, expires, daysLeft }: Certificate) =>
  `${host}:${path} ${daysLeft < 0 ? 'expired' : `in ${daysLeft} days`} (${expires.slice(0, 10)})`;

function driftOf({ changes, reason }: StatusView['drift']): string {
  const why = reason === undefined ? '' : ` (${reason})`;
  if (changes === null) return `unknown${why}`;
  return `${changes === 0 ? 'none' : `${changes} changes, see keelson plan`}${why}`;
}

function age(seconds: number): string {
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
