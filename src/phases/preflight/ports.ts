import { memberSettings } from '../../config/inventory.js';
import { balancedOn } from '../../manifests/endpoint/haproxy.js';
import { defineCheck, error, linesOf, type Outcome, ok, type Target } from './check.js';

/** Who owns a port in a cluster, as the kernel shows the process (15 characters). */
const KUBELET = 'kubelet';
const ETCD = 'etcd';

/** A TCP port with the process that a member of the cluster has there. */
interface Port {
  port: number;
  owner: string;
}

/** kubeadm's ports: the kubelet's on every node; of a control plane also API, managers and a local etcd. */
function portsOf({ host, config }: Pick<Target, 'host' | 'config'>): Port[] {
  const balanced = balancedOn(config, host);
  const ports = [
    { port: 10250, owner: KUBELET },
    ...(balanced === null ? [] : [{ port: balanced.port, owner: 'haproxy' }]),
  ];
  if (host.localAPIEndpoint !== null) {
    ports.push(
      { port: host.localAPIEndpoint.bindPort, owner: 'kube-apiserver' },
      { port: 10259, owner: 'kube-scheduler' },
      { port: 10257, owner: 'kube-controller-manager' },
    );
  }
  if (memberSettings(config.cluster, host) !== undefined)
    ports.push({ port: 2379, owner: ETCD }, { port: 2380, owner: ETCD });
  return ports;
}

/** Listening TCP sockets: ss with the owner, and the kernel's table where there is no ss. */
function listeners(ports: readonly Port[]): string {
  const filter = ports.map(({ port }) => `sport = :${port}`).join(' or ');
  return `ss -Htlnp '( ${filter} )' 2>/dev/null || grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null; true`;
}

/** Ports that are listened on, with the process that does ('' where it is not known). */
export function parseListeners(lines: readonly string[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const line of lines) {
    const kernel = /^\d+: [0-9A-F]+:([0-9A-F]{4}) /.exec(line)?.[1];
    if (kernel !== undefined) {
      found.set(Number.parseInt(kernel, 16), '');
      continue;
    }
    const port = /^\S+\s+\d+\s+\d+\s+\S+:(\d+)\s/.exec(line)?.[1];
    if (port === undefined) continue;
    const [, process = '', pid = ''] = /users:\(\("([^"]+)",pid=(\d+)/.exec(line) ?? [];
    found.set(Number(port), process === '' ? '' : `${process} (pid ${pid})`);
  }
  return found;
}

export const ports = defineCheck({
  id: 'ports',
  probes: (target) => ({ listening: listeners(portsOf(target)) }),
  judge: (subject) => {
    const listening = parseListeners(linesOf(subject, 'listening'));
    return portsOf(subject).map(({ port, owner }): Outcome => {
      const name = `Port-${port}`;
      const holder = listening.get(port);
      if (holder === undefined) return ok(name, `port ${port} is free`);
      const own = holder === '' || holder.startsWith(`${owner.slice(0, 15)} `);
      if (subject.member && own) return ok(name, `port ${port} is held by ${owner}`);
      const by = holder === '' ? '' : ` by ${holder}`;
      return error(name, `port ${port} is in use${by}`, `stop what listens there: ss -tlnp sport = :${port}`);
    });
  },
});
