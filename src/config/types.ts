/**
 * The resolved configuration: what a cluster file means after parsing, migration, defaulting and validation.
 * Everything below `src/config` works with these types only. Values are frozen.
 */

/** `etcd`: a member of an etcd that keelson runs beside the cluster; no node of it. */
export type Role = 'control-plane' | 'worker' | 'etcd';
export type Arg = { name: string; value: string };
/** With `valueFrom` (a source as in a pod, for example a fieldRef) `value` is ''. */
export type EnvVar = { name: string; value: string; valueFrom?: Record<string, unknown> };
export type Taint = { key: string; value?: string; effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' };

export interface HostPathMount {
  name: string;
  hostPath: string;
  mountPath: string;
  readOnly?: boolean;
  pathType?: string;
}

/** kubeadm v1beta4 ControlPlaneComponent. */
export interface ControlPlaneComponent {
  extraArgs?: Arg[];
  extraVolumes?: HostPathMount[];
  extraEnvs?: EnvVar[];
}

export interface LocalEtcd {
  imageRepository?: string;
  imageTag?: string;
  dataDir: string;
  extraArgs?: Arg[];
  extraEnvs?: EnvVar[];
  serverCertSANs?: string[];
  peerCertSANs?: string[];
}

export interface ExternalEtcd {
  endpoints: string[];
  caFile: string;
  certFile: string;
  keyFile: string;
  httpEndpoints?: string[];
}

export type EncryptionAlgorithm = 'RSA-2048' | 'RSA-3072' | 'RSA-4096' | 'ECDSA-P256' | 'ECDSA-P384';

/** kubeadm v1beta4 ClusterConfiguration, defaults filled in as `kubeadm config print` shows them. */
export interface ClusterConfiguration {
  apiVersion: 'kubeadm.k8s.io/v1beta4';
  kind: 'ClusterConfiguration';
  /** Exact, with leading v: `v1.36.3`. */
  kubernetesVersion: string;
  clusterName: string;
  controlPlaneEndpoint?: string;
  imageRepository: string;
  certificatesDir: string;
  encryptionAlgorithm: EncryptionAlgorithm;
  /** Go duration, `8760h0m0s`. */
  certificateValidityPeriod: string;
  caCertificateValidityPeriod: string;
  networking: { dnsDomain: string; serviceSubnet: string; podSubnet?: string };
  apiServer: ControlPlaneComponent & { certSANs?: string[] };
  controllerManager: ControlPlaneComponent;
  scheduler: ControlPlaneComponent;
  etcd: {
    local?: LocalEtcd;
    external?: ExternalEtcd;
    /** keelson's, not kubeadm's, and only with `external`: its members run on hosts of role etcd, like this. */
    members?: LocalEtcd;
  };
  dns: { imageRepository?: string; imageTag?: string; disabled?: boolean };
  proxy: { disabled?: boolean };
  featureGates?: Record<string, boolean>;
}

export interface NodeRegistration {
  name: string;
  criSocket: string;
  /** undefined: kubeadm's default (control-plane taint on control planes); []: none. */
  taints?: Taint[];
  kubeletExtraArgs?: Arg[];
  ignorePreflightErrors?: string[];
  imagePullPolicy: string;
  imagePullSerial: boolean;
}

export interface Timeouts {
  controlPlaneComponentHealthCheck: string;
  kubeletHealthCheck: string;
  kubernetesAPICall: string;
  etcdAPICall: string;
  tlsBootstrap: string;
  discovery: string;
  upgradeManifests: string;
}

export interface BootstrapTokenSpec {
  token: string;
  description?: string;
  ttl?: string;
  expires?: string;
  usages: string[];
  groups: string[];
}

/** A kubelet or kube-proxy ComponentConfig: the user's fields as they are. */
export type ComponentConfig = { apiVersion: string; kind: string } & Record<string, unknown>;

export interface SshSettings {
  /** Address or name to connect to. */
  address: string;
  port: number;
  user: string;
  identityFile?: string;
  /** Files read for host keys, in order. */
  knownHostsFiles: string[];
  /** `SHA256:…`; when given, known_hosts is not consulted for this machine (jump hosts still need it). */
  hostKeyFingerprint?: string;
  /** Jump hosts in order, `[user@]host[:port]`. */
  jumpHosts: string[];
  /** Use the agent at SSH_AUTH_SOCK; default true when it is set. */
  agent: boolean;
  /** Consult `ssh -G` for what the file leaves open. */
  useSshConfig: boolean;
}

export interface ResolvedHost {
  /** Name in the inventory, and the default node name. */
  name: string;
  role: Role;
  /** `absent` is the tombstone: this host is to be removed. */
  state: 'present' | 'absent';
  ssh: SshSettings;
  /** Address that the node uses inside the cluster (IPv4 or IPv6, canonical, no port). */
  nodeIP: string;
  /** As the file states it; undefined: the host itself says. */
  architecture?: 'amd64' | 'arm64';
  /** Its address of the other family, with dual stack. */
  secondaryNodeIP?: string;
  labels: Readonly<Record<string, string>>;
  nodeRegistration: NodeRegistration;
  /** Control planes only. */
  localAPIEndpoint: { advertiseAddress: string; bindPort: number } | null;
  /** Directory with kubeadm patches, on the operator's machine, absolute; null for none. */
  patchesDirectory: string | null;
}

/** Where manifests come from: a file or directory on the operator's machine (absolute), or a URL with digest. */
export type ManifestSource = { file: string } | { url: string; sha256: string };

/** A Helm chart and what it is rendered with; paths are absolute, on the operator's machine. */
export interface ChartSource {
  /** A directory or archive, or a chart of a repository (`https://` or `oci://`) by the SHA-256 of its archive. */
  from: { file: string } | { repository: string; name: string; version: string; sha256: string };
  release: string;
  /** Of what the chart names no namespace for. */
  namespace: string;
  /** Later ones on top, `values` on top of all. */
  valuesFiles: string[];
  values: Readonly<Record<string, unknown>>;
  /** API versions beside Kubernetes' own that the chart may count on. */
  apiVersions: string[];
}

/** Where objects come from: manifests as they are, or what a kustomization or a chart makes of them. */
export type ObjectSource = ManifestSource | { kustomize: string } | { chart: ChartSource };

export interface FlannelNetwork {
  plugin: 'flannel';
  backend: 'vxlan' | 'host-gw' | 'wireguard';
  /** vxlan: no encapsulation between hosts of one subnet. */
  directRouting: boolean;
  /** vxlan, wireguard: UDP port, default 8472 or 51820; wireguard's IPv6 tunnel has the port after it. */
  port: number;
  vni: number;
  mtu?: number;
  /** nftables in place of iptables. */
  nftables: boolean;
  /** Interface between hosts, by name or by a regular expression of its name or address; default the node's own. */
  interface?: string;
  interfacePattern?: string;
}

/** A router outside of the cluster, or a node, that routes are exchanged with. */
interface CalicoPeer {
  /** Name of the BGPPeer. */
  name: string;
  /** `10.0.0.1` or `10.0.0.1:1179`. */
  address: string;
  asNumber: number;
  /** Calico's selector of the nodes that peer with it; default all. */
  nodeSelector?: string;
  /** Key of a Secret in kube-system. */
  passwordSecret?: { name: string; key: string };
  /** Names of filters. */
  filters?: string[];
}

/** One rule of a BGPFilter, fields as Calico's API has them. */
interface CalicoFilterRule {
  action: 'Accept' | 'Reject';
  cidr?: string;
  matchOperator?: 'Equal' | 'NotEqual' | 'In' | 'NotIn';
  source?: 'RemotePeers';
  interface?: string;
}

/** Which routes go to and come from the peers that name it; the first rule that fits decides. */
interface CalicoFilter {
  name: string;
  exportV4?: CalicoFilterRule[];
  importV4?: CalicoFilterRule[];
  exportV6?: CalicoFilterRule[];
  importV6?: CalicoFilterRule[];
}

export interface CalicoNetwork {
  plugin: 'calico';
  /** Calico's published manifest. */
  manifest: ManifestSource;
  /** bgp: no encapsulation; ipip, vxlan: always; mixed: between subnets only. */
  mode: 'bgp' | 'ipip' | 'vxlan' | 'mixed';
  /** What `mixed` encapsulates with. */
  encapsulation: 'ipip' | 'vxlan';
  /** Lengths of the prefixes of nodes' blocks; default Calico's 26 and 122. */
  blockSize?: number;
  blockSizeIPv6?: number;
  mtu?: number;
  mtuInterfacePattern?: string;
  /** Calico's method of finding a node's address. */
  autodetection: string;
  natOutgoing: boolean;
  bgp: {
    asNumber?: number;
    nodeToNodeMesh: boolean;
    peers: CalicoPeer[];
    filters: CalicoFilter[];
    /** Ranges of services that are announced. */
    advertise: { clusterIPs: string[]; externalIPs: string[]; loadBalancerIPs: string[] };
  };
  /** Fields of FelixConfiguration, as they are. */
  felix: Readonly<Record<string, unknown>>;
}

export type NetworkSpec =
  | FlannelNetwork
  | CalicoNetwork
  | { plugin: 'manifest'; manifests: ObjectSource[] }
  | { plugin: 'none' };

/**
 * Where hosts and clients reach the API. `address:port` is the cluster's controlPlaneEndpoint.
 * external: a load balancer or a name that is somebody else's; keepalived-haproxy: a virtual address that the
 * control planes hold in turn; node-local: a loopback address, where every host has a load balancer of its own.
 */
export type EndpointSpec =
  | { provider: 'external'; address: string; port: number }
  | {
      provider: 'keepalived-haproxy';
      address: string;
      port: number;
      /** Interface of the virtual address; undefined: the one with the control plane's own address. */
      interface?: string;
      virtualRouterId: number;
    }
  | {
      provider: 'node-local';
      address: string;
      port: number;
      /** Listen on the hosts' own addresses too. */
      expose: boolean;
    };

/** What may be changed on hosts beside Kubernetes itself; `check`: preflight says what is wrong. */
interface Preparation {
  packages: 'check' | 'install';
  swap: 'check' | 'disable';
  selinux: 'check' | 'permissive';
  firewall: 'check' | 'open';
}

/** A systemd timer on every host that looks at its certificates. */
interface CertificateTimer {
  /** systemd's OnCalendar. */
  schedule: string;
  warnDays: number;
  /** Absolute path on the hosts; undefined: no metrics. */
  metricsFile?: string;
}

export interface EtcdSnapshots {
  /** When: systemd's calendar expression. */
  schedule: string;
  /** Absolute path on the host. */
  directory: string;
  /** So many stay. */
  keep: number;
}

/** Objects of the user's that keelson holds to manifests, and removes when the add-on leaves the file. */
export interface AddonSpec {
  name: string;
  manifests: ObjectSource[];
  /** Names of add-ons that have to be ready first. */
  needs: string[];
  /** Milliseconds until its workloads have to be ready; 0: nobody waits. */
  waitMs: number;
}

export interface ClusterSpec {
  network: NetworkSpec;
  /** In the order of the file. */
  addons: AddonSpec[];
  /** null: there is none, and the first control plane's own address is used. */
  endpoint: EndpointSpec | null;
  /** Absolute path of the bundle, a directory or a file, or `online`; null where none was named. */
  bundle: string | null;
  /** Absolute path of a file with public keys, one of which has to have signed the bundle. */
  bundlePublicKey?: string;
  /** Absolute path of the file that says where registries and official addresses are mirrored. */
  mirrors?: string;
  /** Kernel and container settings for hosts such as lab machines. */
  runtime: { systemdCgroup: boolean; restrictOomScoreAdj: boolean };
  preparation: Preparation;
  certificateTimer?: CertificateTimer;
  /** Files on the operator's machine, absolute, that control planes get at the paths of `etcd.external`. */
  externalEtcd?: { caFile: string; certFile: string; keyFile: string };
  /** Snapshots that hosts take of their own etcd members; undefined: none. */
  etcdSnapshots?: EtcdSnapshots;
  /** Kubernetes names of preflight checks to report as warnings. */
  ignorePreflightErrors: string[];
  /** Whether hosts pass on binaries and images. */
  distribution: 'auto' | 'direct' | 'chain';
  /** At most so many hosts are worked on at once. */
  concurrency: number;
}

export interface ClusterConfig {
  /** metadata.name */
  name: string;
  /** Absolute path of the file this came from; null for text. */
  file: string | null;
  spec: ClusterSpec;
  hosts: readonly ResolvedHost[];
  cluster: ClusterConfiguration;
  init: {
    bootstrapTokens: BootstrapTokenSpec[];
    certificateKey?: string;
    skipPhases: string[];
    timeouts: Timeouts;
  };
  /** Timeouts that the join phases use. */
  joinTimeouts: Timeouts;
  kubelet: ComponentConfig;
  kubeProxy: ComponentConfig;
  /** Notes for the user: migrations made, deprecated fields. */
  notes: readonly string[];
}
