import fc from 'fast-check';
import type { Arg, EnvVar, HostPathMount } from '../../src/config/types.js';
import type { Scenario } from './dry-run.js';

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/);
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const value = fc.oneof(
  fc.constantFrom(
    '',
    'true',
    'yes',
    '1_000',
    '2020-01-01',
    '0x1F',
    'null',
    '~',
    '*',
    'a,b=c',
    '127.0.0.1',
    '::',
  ),
  fc.stringMatching(/^[ -~]{0,24}$/),
);
const duration = fc
  .tuple(fc.integer({ min: 0, max: 9999 }), fc.constantFrom('ms', 's', 'm', 'h'))
  .map(([count, unit]) => `${count}${unit}`);

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Drops what is undefined, so that neither side sees the key. */
function record<T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

const argumentsFrom = (known: readonly string[]): fc.Arbitrary<Arg[]> =>
  fc.array(fc.record({ name: fc.oneof(fc.constantFrom(...known), name), value }), { maxLength: 4 });

const variables: fc.Arbitrary<EnvVar[]> = fc.array(
  fc.record({ name: fc.stringMatching(/^[A-Z][A-Z_]{0,6}$/), value }),
  { maxLength: 3 },
);

const volumes: fc.Arbitrary<HostPathMount[]> = fc.array(
  fc.record(
    {
      name: fc.oneof(
        fc.constantFrom('ca-certs', 'k8s-certs', 'kubeconfig', 'usr-share-ca-certificates'),
        name,
      ),
      hostPath: path,
      mountPath: path,
      readOnly: fc.boolean(),
      pathType: fc.constantFrom('', 'File', 'DirectoryOrCreate'),
    },
    { requiredKeys: ['name', 'hostPath', 'mountPath'] },
  ) as fc.Arbitrary<HostPathMount>,
  { maxLength: 3 },
);

const component = (known: readonly string[]) =>
  record({ extraArgs: argumentsFrom(known), extraVolumes: volumes, extraEnvs: variables });

const networks = fc.constantFrom(
  { address: '10.88.0.11', serviceSubnet: '10.96.0.0/12', podSubnet: '10.244.0.0/16' },
  { address: '192.0.2.7', serviceSubnet: '172.16.0.0/22', podSubnet: '10.0.0.0/9' },
  { address: '10.88.0.11', serviceSubnet: '10.96.0.0/12' },
  { address: 'fd00::11', serviceSubnet: 'fd00:96::/108', podSubnet: 'fd00:244::/48' },
  {
    address: '10.88.0.11',
    serviceSubnet: '10.96.0.0/16,fd00:96::/112',
    podSubnet: '10.244.0.0/16,fd00:244::/48',
  },
);

const localEtcd = record({
  dataDir: path,
  imageRepository: fc.constantFrom('registry.example.com', 'localhost:5000/etcd'),
  imageTag: fc.constantFrom('3.6.1-0', '3.6.10-0', '3.7.0-0'),
  extraArgs: argumentsFrom(['snapshot-count', 'advertise-client-urls', 'data-dir', 'name', 'feature-gates']),
  extraEnvs: variables,
});

const externalEtcd = fc.record({
  endpoints: fc.uniqueArray(fc.constantFrom('https://10.0.0.5:2379', 'https://[fd00::5]:2379'), {
    minLength: 1,
  }),
  caFile: path,
  certFile: path,
  keyFile: path,
});

const kubelet = record({
  cgroupDriver: fc.constantFrom('cgroupfs', 'systemd'),
  maxPods: fc.integer({ min: 0, max: 500 }),
  syncFrequency: duration,
  shutdownGracePeriod: duration,
  cpuCFSQuotaPeriod: duration,
  failSwapOn: fc.boolean(),
  serverTLSBootstrap: fc.boolean(),
  clusterDomain: fc.constantFrom('', 'other.local'),
  hairpinMode: fc.constantFrom('', 'promiscuous-bridge'),
  evictionHard: fc.dictionary(
    fc.constantFrom('memory.available', 'nodefs.available'),
    fc.constantFrom('5%', '1Gi'),
  ),
  systemReserved: fc.dictionary(fc.constantFrom('cpu', 'memory'), fc.constantFrom('100m', '1Gi')),
  allowedUnsafeSysctls: fc.array(fc.constantFrom('net.core.somaxconn', 'kernel.msg*')),
  logging: record({ format: fc.constantFrom('json', 'text'), verbosity: fc.integer({ min: 0, max: 9 }) }),
});

const kubeProxy = record({
  mode: fc.constantFrom('iptables', 'nftables', ''),
  bindAddress: fc.constantFrom('', '10.0.0.1', '::'),
  clusterCIDR: fc.constantFrom('', '10.9.0.0/16'),
  conntrack: record({
    maxPerCore: fc.integer({ min: 0, max: 99 }),
    udpTimeout: duration,
    tcpCloseWaitTimeout: duration,
  }),
  ipvs: record({
    scheduler: fc.constantFrom('rr', ''),
    tcpTimeout: duration,
    excludeCIDRs: fc.constant(['10.0.0.0/8']),
  }),
  nodePortAddresses: fc.constantFrom([], ['primary']),
});

const serverFlags = [
  'authorization-mode',
  'authorization-config',
  'etcd-servers',
  'secure-port',
  'allow-privileged',
];
const managerFlags = ['bind-address', 'flex-volume-plugin-dir', 'cluster-cidr', 'controllers'];

/** Configurations that kubeadm accepts. */
export const arbitraryScenario: fc.Arbitrary<Scenario> = fc
  .record({
    network: networks,
    bindPort: fc.constantFrom(6443, 7443),
    dnsDomain: fc.constantFrom('cluster.local', 'corp.example'),
    cluster: record({
      clusterName: fc.constantFrom('kubernetes', 'a', 'yes'),
      certificatesDir: path,
      imageRepository: fc.constantFrom('registry.k8s.io', 'registry.example.com:5000/k8s'),
      controlPlaneEndpoint: fc.constantFrom(
        'k8s.example.com',
        'k8s.example.com:443',
        '10.9.9.9:8443',
        '[fd00::9]:1',
      ),
      apiServer: component(serverFlags),
      controllerManager: component(managerFlags),
      scheduler: component(['bind-address', 'leader-elect']),
      dns: record({
        imageTag: fc.constant('v1.12.0'),
        imageRepository: fc.constant('example.com/dns'),
        disabled: fc.boolean(),
      }),
      proxy: record({ disabled: fc.boolean() }),
    }),
    etcd: fc.oneof(
      localEtcd.map((local) => ({ local })),
      externalEtcd.map((external) => ({ external })),
      fc.constant(undefined),
    ),
    nodeRegistration: record({
      name,
      kubeletExtraArgs: argumentsFrom(['node-ip', 'hostname-override', 'v']),
    }),
    kubelet: optional(kubelet),
    kubeProxy: optional(kubeProxy),
    health: optional(fc.constantFrom('4m0s', '30s', '1m1s', '10m')),
  })
  .map(({ network, bindPort, dnsDomain, cluster, etcd, health, kubelet, kubeProxy, nodeRegistration }) => {
    const { address, ...subnets } = network;
    return {
      cluster: { ...cluster, networking: { dnsDomain, ...subnets }, ...(etcd === undefined ? {} : { etcd }) },
      localAPIEndpoint: { advertiseAddress: address, bindPort },
      nodeRegistration,
      ...(kubelet === undefined ? {} : { kubelet }),
      ...(kubeProxy === undefined ? {} : { kubeProxy }),
      ...(health === undefined ? {} : { timeouts: { controlPlaneComponentHealthCheck: health } }),
    } as Scenario;
  });
