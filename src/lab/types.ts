import type { Role } from '../config/types.js';

/** What a lab's machines are made with. */
export const LAB_DRIVERS = ['nspawn', 'vagrant'] as const;
export type LabDriverName = (typeof LAB_DRIVERS)[number];

/** How a lab's cluster is reached; see `spec.endpoint` of a cluster file. */
export const LAB_ENDPOINTS = ['external', 'keepalived-haproxy', 'node-local'] as const;
export type LabEndpoint = (typeof LAB_ENDPOINTS)[number];

/** Fields of `spec.network` in a cluster file. */
export type LabNetwork = Readonly<Record<string, unknown>> & { readonly plugin: string };

export const LAB_PROXY_MODES = ['iptables', 'nftables', 'ipvs'] as const;
export type LabProxyMode = (typeof LAB_PROXY_MODES)[number];

/** One machine of a lab, as the state file keeps it. */
export interface LabNode {
  /** `cp1`, `w2`: also the machine's hostname. */
  name: string;
  role: Role;
  /** IPv4 address on the lab's bridge. */
  address: string;
  /** IPv6 address there, in a lab with both families. */
  address6?: string;
  /** 32 hex digits; stays the same over stop and start. */
  machineId: string;
}

/** `<stateRoot>/<name>/lab.json`. */
export interface LabState {
  version: 1;
  name: string;
  /** Absolute path of the directory that holds cluster.yaml and the keys. */
  directory: string;
  /** For example `10.88.0.0/24`; the bridge has the first address. */
  subnet: string;
  /** For example `fd00:88:4::/64`, in a lab with both families. */
  subnet6?: string;
  /** Root of the Debian base that the nodes' overlays stand on, absolute. */
  base: string;
  nodes: LabNode[];
}

/** `missing`: described, never made. */
export type LabNodeState = 'running' | 'booting' | 'stopped' | 'missing';

export interface LabStatus {
  name: string;
  driver: LabDriverName;
  directory: string;
  subnet: string;
  /** null where the driver's own networks are used. */
  bridge: string | null;
  nodes: { name: string; role: Role; address: string; state: LabNodeState; pid: number | null }[];
}

/** What happens in a lab, in the order it happens; `durationMs` counts from the call's beginning. */
export type LabEvent =
  | { kind: 'base'; state: 'building' | 'ready'; message: string; durationMs: number }
  | { kind: 'host-changed'; message: string }
  /** A line of what the driver's own program says. */
  | { kind: 'driver'; message: string }
  | { kind: 'network'; bridge: string; subnet: string }
  | { kind: 'node'; node: string; state: 'preparing' | 'booting' | 'ready' | 'stopped'; durationMs: number }
  | { kind: 'cluster-file'; path: string; outcome: ClusterFileOutcome }
  | { kind: 'removed'; what: string };

/** `kept`: the user's file stands as it is; `updated`: hosts were added or readdressed in it, or what was asked for set. */
export type ClusterFileOutcome = 'written' | 'kept' | 'updated';

export interface LabOptions {
  /** Where machine disks and state live; default `/var/lib/keelson-lab`. Must not be on an overlay. */
  stateRoot?: string;
  onEvent?: (event: LabEvent) => void;
  signal?: AbortSignal;
}

export interface LabSpec {
  name: string;
  /** Default: what the lab has already, else 1. */
  controlPlanes?: number;
  /** Default: what the lab has already, else 2. */
  workers?: number;
  /** Machines with IPv6 addresses beside, and a cluster of both families. Default: what the lab has already. */
  dualStack?: boolean;
  /** Hosts of role etcd. Default: what the lab has already, else none. */
  etcd?: number;
  /** Directory for cluster.yaml, keys and known_hosts, absolute; usually `<cwd>/.keelson/lab/<name>`. */
  directory: string;
  /** Directory of the Debian bases shared by all labs, absolute; usually `~/.cache/keelson/lab-base`. */
  cacheDir: string;
  /** Exact, with leading v. */
  kubernetesVersion: string;
  /** Default: what the cluster file has already, else external with several control planes, none with one. */
  endpoint?: LabEndpoint;
  /** `spec.network` of the cluster file; default: what the cluster file has already, else flannel with vxlan. */
  network?: LabNetwork;
  /** kube-proxy's mode; default: what the cluster file has already, else kube-proxy's own. */
  proxyMode?: LabProxyMode;
  /** Bundle directory as it is to stand in cluster.yaml. */
  bundle: string;
  /** Debian mirror for the base; default the official one. */
  mirror?: string;
  /** Milliseconds for a machine to boot until ssh answers; default 60,000. */
  bootTimeoutMs?: number;
  /** vagrant: a folder of the package's `vagrant/`; default `small`. */
  profile?: string;
  /** vagrant: `virtualbox` or `libvirt`; default Vagrant's choice. */
  provider?: string;
  /** vagrant: short name of a box (`debian12`) or its full one; default `debian12`. */
  box?: string;
}

/** What can be looked at before there is a bundle. */
export type LabRequest = Omit<LabSpec, 'kubernetesVersion' | 'bundle'>;

export const DEFAULT_STATE_ROOT = '/var/lib/keelson-lab';
