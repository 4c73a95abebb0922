import * as z from 'zod';
import { addons } from './addons.js';
import {
  type Check,
  checkAddress,
  checkAddresses,
  checkDnsName,
  checked,
  checkHostAddress,
  checkLabelValue,
  checkQualifiedName,
  names,
  parseHostPort,
  port,
  required,
} from './common.js';
import { nodeRegistration, taints } from './kubeadm-common.js';
import { checkInterface, network } from './network.js';

const checkFingerprint: Check = (value) =>
  /^SHA256:[A-Za-z0-9+/]{43}$/.test(value) ? undefined : 'no fingerprint: `ssh-keygen -lf` prints SHA256:…';

const checkJumpHost: Check = (value) => {
  const [user, address] = value.includes('@') ? value.split('@', 2) : [undefined, value];
  const endpoint = parseHostPort((address ?? '').toLowerCase());
  return user === '' || endpoint === null
    ? `"${value}" is no jump host; write [user@]host[:port]`
    : undefined;
};

const checkUser: Check = (value) =>
  /^[A-Za-z_][\w.-]*\$?$/.test(value) ? undefined : `"${value}" is no user name`;

const sshOfHost = {
  port: port('Port of sshd; default 22.').optional(),
  user: required(checkUser).optional().describe('User to log in as; root, or one with sudo. Default root.'),
  identityFile: required(() => undefined)
    .optional()
    .describe('Private key.'),
  hostKeyFingerprint: required(checkFingerprint)
    .optional()
    .describe('SHA256:… of the host key; when given, known_hosts is not consulted.'),
  jumpHosts: z.array(required(checkJumpHost)).optional().describe('Jump hosts in order, [user@]host[:port].'),
};

const ssh = z
  .strictObject({
    ...sshOfHost,
    knownHostsFile: required(() => undefined)
      .or(z.array(required(() => undefined)))
      .optional()
      .describe('One file or several; default ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.'),
    agent: z.boolean().optional().describe('Use the SSH agent; default: where there is one.'),
    useSshConfig: z
      .boolean()
      .optional()
      .describe('Ask `ssh -G` for what this file leaves open; default true where there is an ssh client.'),
  })
  .describe('How to reach the hosts; each host can say otherwise.');

const host = z.strictObject({
  name: required(checkDnsName).describe('Name in the inventory, and the name of the node.'),
  role: z
    .enum(['control-plane', 'worker', 'etcd'])
    .describe('What the host is in the cluster; etcd: a member of an etcd outside of the control planes.'),
  address: required(checkHostAddress).describe('IP address or name to connect to.'),
  ...sshOfHost,
  nodeIP: required(checkAddresses)
    .optional()
    .describe(
      'Address inside the cluster; default the address. Needed where that is a name. Dual stack: two, the first of the family that the cluster prefers.',
    ),
  advertiseAddress: required(checkAddress)
    .optional()
    .describe('Control planes: address that the API server advertises; default nodeIP.'),
  architecture: z
    .enum(['amd64', 'arm64'])
    .optional()
    .describe('For `keelson bundle verify -c`; a host in reach says itself what it is.'),
  labels: z
    .record(required(checkQualifiedName), checked(checkLabelValue))
    .optional()
    .describe('Labels of the node.'),
  taints: taints.optional(),
  state: z
    .enum(['present', 'absent'])
    .optional()
    .describe('absent: the host is to be removed from the cluster. Default present.'),
  nodeRegistration: nodeRegistration.optional().describe("kubeadm's nodeRegistration for this host."),
  patches: z.string().optional().describe('Directory with patches for this host.'),
});

const endpoint = z
  .strictObject({
    provider: z
      .enum(['external', 'keepalived-haproxy', 'node-local'])
      .describe(
        'external: a load balancer or name of yours. keepalived-haproxy: a virtual address on the control planes. node-local: a load balancer on every host.',
      ),
    address: required(checkHostAddress)
      .optional()
      .describe(
        'external: address or name. keepalived-haproxy: the virtual address, free and in the network of the control planes.',
      ),
    port: port('Port; default 6443 (external), 8443 (keepalived-haproxy), 7443 (node-local).').optional(),
    interface: required(checkInterface)
      .optional()
      .describe(
        "keepalived-haproxy: interface of the virtual address; default the one with the control plane's own address.",
      ),
    virtualRouterId: z
      .int()
      .min(1)
      .max(255)
      .optional()
      .describe('keepalived-haproxy: VRRP identifier, unique in the network; default 51.'),
    expose: z
      .boolean()
      .optional()
      .describe("node-local: listen on each host's own address too, for clients outside; default false."),
  })
  .describe("Where the API is reached; default controlPlaneEndpoint, or the first control plane's address.");

const runtime = z
  .strictObject({
    systemdCgroup: z
      .boolean()
      .optional()
      .describe("containerd's cgroup driver; default as the kubelet's cgroupDriver."),
    restrictOomScoreAdj: z
      .boolean()
      .optional()
      .describe('For containerd inside of a container; default false.'),
  })
  .describe('Container runtime.');

const preparation = z
  .strictObject({
    packages: z
      .enum(['check', 'install'])
      .optional()
      .describe('install: missing programs come from the distribution’s packages; default check.'),
    swap: z
      .enum(['check', 'disable'])
      .optional()
      .describe('disable: swap is turned off, now and for good; default check.'),
    selinux: z
      .enum(['check', 'permissive'])
      .optional()
      .describe('permissive: SELinux only warns, now and for good; default check.'),
    firewall: z
      .enum(['check', 'open'])
      .optional()
      .describe('open: firewalld or ufw lets through what the cluster needs; default check.'),
  })
  .describe('What keelson may change on hosts beside Kubernetes itself; check is left to preflight.');

const checkSchedule: Check = (value) =>
  /^[\w*,./:~ +-]+$/.test(value) ? undefined : `"${value}" is no schedule: see man systemd.time, OnCalendar`;

const checkHostFile: Check = (value) =>
  /^\/[\w./-]+$/.test(value) ? undefined : `"${value}" is no absolute path of plain characters`;

const certificateTimer = z
  .strictObject({
    schedule: required(checkSchedule)
      .optional()
      .describe("When, as systemd's OnCalendar: daily, Mon 06:00; default daily."),
    warnDays: z
      .int()
      .min(0)
      .optional()
      .describe('The unit fails where a certificate ends within so many days; default 30.'),
    metricsFile: required(checkHostFile)
      .optional()
      .describe(
        "File on the hosts for metrics, such as node_exporter's textfile collector reads; default none.",
      ),
  })
  .describe('A systemd timer on every host that looks at its certificates; default none.');

const bundle = required(() => undefined)
  .or(
    z.strictObject({
      path: required(() => undefined).describe('The directory or file.'),
      publicKey: required(() => undefined)
        .optional()
        .describe('File with the public keys one of which has to have signed the bundle.'),
    }),
  )
  .describe(
    'Binaries and images: a directory, a file that `keelson bundle export` has written, or online: programs of the official releases, and hosts pull images by themselves.',
  );

const here = (what: string) =>
  required(() => undefined).describe(`${what}, on the machine where keelson runs.`);

const externalEtcd = z
  .strictObject({
    caFile: here('CA certificate of etcd'),
    certFile: here('Client certificate'),
    keyFile: here('Client key'),
  })
  .describe("Brought to the control planes at the paths of ClusterConfiguration's etcd.external.");

const checkCalendar: Check = (value) =>
  /^[\w*][\w*:/,.~ +-]*$/.test(value) ? undefined : `"${value}" is no time; write hourly, or *-*-* 03:00:00`;

const checkHostDirectory: Check = (value) =>
  /^(\/[\w.@+-]+)+$/.test(value) && !value.split('/').includes('..')
    ? undefined
    : `"${value}" is no absolute path of letters, digits and . _ @ + -`;

const etcdSnapshots = z
  .strictObject({
    schedule: required(checkCalendar)
      .optional()
      .describe("When, as systemd.time(7) has it: hourly, '*-*-* 03:00:00'; default hourly."),
    directory: required(checkHostDirectory)
      .optional()
      .describe('Directory on the host; default /var/backups/keelson.'),
    keep: z.int().min(1).max(100_000).optional().describe('So many snapshots stay; default 24.'),
  })
  .describe('Snapshots of etcd by a timer on every host with a member; default none.');

/** keelson.dev/v1alpha1 Cluster, as a user writes it. */
export const cluster = z
  .strictObject({
    apiVersion: z.literal('keelson.dev/v1alpha1'),
    kind: z.literal('Cluster'),
    metadata: z
      .strictObject({
        name: required(checkDnsName).describe('Name of the cluster, here and in kubeconfigs.'),
      })
      .describe('Identity.'),
    spec: z
      .strictObject({
        ssh: ssh.optional(),
        hosts: z.array(host).min(1).describe('All hosts of the cluster.'),
        network: network.optional(),
        addons: addons.optional(),
        endpoint: endpoint.optional(),
        bundle: bundle.optional(),
        mirrors: here('File that says where official addresses and registries are mirrored').optional(),
        runtime: runtime.optional(),
        preparation: preparation.optional(),
        certificateTimer: certificateTimer.optional(),
        externalEtcd: externalEtcd.optional(),
        etcdSnapshots: etcdSnapshots.optional(),
        ignorePreflightErrors: names(
          'Preflight checks to report as warnings, by their Kubernetes names.',
        ).optional(),
        distribution: z
          .enum(['auto', 'direct', 'chain'])
          .optional()
          .describe(
            'chain: hosts pass on binaries and images, so that they are sent from here once. direct: each host gets its own. auto (default): chain where the link of this machine is what is slow.',
          ),
        concurrency: z.int().min(1).max(1000).optional().describe('Hosts worked on at once; default 20.'),
      })
      .describe('Hosts, and how to work on them.'),
  })
  .describe('Hosts of a cluster, and how to reach them.');

export type ClusterInput = z.output<typeof cluster>;
export type HostInput = ClusterInput['spec']['hosts'][number];
