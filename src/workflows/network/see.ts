import type { ClusterConfig } from '../../config/types.js';
import type { ReadRequest, ReadResult } from '../../host/types.js';
import { strayProbe } from '../../phases/network/retire.js';

export interface Route {
  /** As `ip` prints it: `10.244.1.0/24`, `default`. */
  dst: string;
  gateway: string | null;
  dev: string;
  /** `kernel`, `bird`, …; '' where `ip` does not say. */
  protocol: string;
}

interface Link {
  name: string;
  mtu: number;
  /** The bridge that it is attached to. */
  master: string | null;
}

/** An entry of a forwarding table: frames to `mac` go to the host `dst`. */
interface Forwarding {
  mac: string;
  dev: string;
  dst: string;
}

interface Neighbour {
  address: string;
  dev: string;
  mac: string;
}

/** What a host's kernel and files say of its pod network. */
export interface SeenNetwork {
  routes: Route[];
  links: Link[];
  forwarding: Forwarding[];
  neighbours: Neighbour[];
  /** flannel's /run/flannel/subnet.env; empty where there is none. */
  subnetEnv: ReadonlyMap<string, string>;
  /** CNI configurations in the order in which containerd takes them. */
  cni: string[];
  /** Leftovers of other backends and modes, as `network/retire` names them. */
  stray: string[];
}

const PATH = 'PATH=$PATH:/usr/sbin:/sbin';

export const networkRequest = (config: ClusterConfig): ReadRequest => ({
  probes: {
    routes4: `${PATH}; ip -j -4 route show`,
    routes6: `${PATH}; ip -j -6 route show`,
    links: `${PATH}; ip -j link show`,
    forwarding: `${PATH}; bridge -j fdb show`,
    neighbours4: `${PATH}; ip -j -4 neighbour show nud permanent`,
    neighbours6: `${PATH}; ip -j -6 neighbour show nud permanent`,
    subnet: 'cat /run/flannel/subnet.env 2>/dev/null; true',
    cni: 'ls /etc/cni/net.d 2>/dev/null; true',
    stray: strayProbe(config),
  },
});

type Row = Record<string, unknown>;

/** What was read, for `networkRequest`. Programs that a host lacks are as if they had nothing to say. */
export function seenNetwork(seen: ReadResult): SeenNetwork {
  const text = (probe: string) => seen.probes.get(probe)?.stdout ?? '';
  const lines = (probe: string) =>
    text(probe)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  const rows = (probe: string): Row[] => {
    try {
      const parsed: unknown = JSON.parse(text(probe));
      return Array.isArray(parsed) ? parsed : [];
    } catch {
      return [];
    }
  };
  const word = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    routes: [...rows('routes4'), ...rows('routes6')].map((row) => ({
      dst: word(row.dst),
      gateway: typeof row.gateway === 'string' ? row.gateway : null,
      dev: word(row.dev),
      protocol: word(row.protocol),
    })),
    links: rows('links').map((row) => ({
      name: word(row.ifname),
      mtu: Number(row.mtu),
      master: typeof row.master === 'string' ? row.master : null,
    })),
    forwarding: rows('forwarding').flatMap((row) =>
      typeof row.dst === 'string' ? [{ mac: word(row.mac), dev: word(row.ifname), dst: row.dst }] : [],
    ),
    neighbours: [...rows('neighbours4'), ...rows('neighbours6')].map((row) => ({
      address: word(row.dst),
      dev: word(row.dev),
      mac: word(row.lladdr),
    })),
    subnetEnv: new Map(
      lines('subnet').map((line) => {
        const [name = '', value = ''] = line.split(/=(.*)/);
        return [name, value];
      }),
    ),
    cni: lines('cni').filter((file) => /\.(conf|conflist|json)$/.test(file)),
    stray: lines('stray'),
  };
}
