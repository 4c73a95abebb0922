import fc from 'fast-check';
import type { BuildOptions } from './config-builder.js';

/** A configuration of either Kubernetes version. */
export type Case = Omit<BuildOptions, 'kubernetesVersion'>;

const ECDSA = { encryptionAlgorithm: 'ECDSA-P256' } as const;

/** Configurations that certificates depend on, by what is special about each. */
export const CASES: Record<string, Case> = {
  'defaults (RSA-2048)': {},
  'RSA-3072': { cluster: { encryptionAlgorithm: 'RSA-3072' } },
  'ECDSA-P256': { cluster: ECDSA },
  'ECDSA-P384': { cluster: { encryptionAlgorithm: 'ECDSA-P384' } },
  'endpoint by name with port': { cluster: { ...ECDSA, controlPlaneEndpoint: 'lb.example.com:7443' } },
  'endpoint by name without port, other bind port': {
    cluster: { ...ECDSA, controlPlaneEndpoint: 'lb.example.com' },
    localAPIEndpoint: { advertiseAddress: '192.168.7.9', bindPort: 8443 },
  },
  'endpoint by IPv4 address': { cluster: { ...ECDSA, controlPlaneEndpoint: '10.0.0.100:6443' } },
  'endpoint by IPv6 address with port': {
    cluster: { ...ECDSA, controlPlaneEndpoint: '[fd00::100]:6443' },
  },
  'endpoint equal to the advertised address': { cluster: { ...ECDSA, controlPlaneEndpoint: '10.88.0.11' } },
  'IPv6 only': {
    cluster: { ...ECDSA, networking: { serviceSubnet: 'fd10:96::/112', podSubnet: 'fd10:244::/56' } },
    localAPIEndpoint: { advertiseAddress: 'fd00:88::0011' },
  },
  'dual-stack': {
    cluster: {
      ...ECDSA,
      networking: {
        serviceSubnet: '10.96.0.0/16,fd10:96::/112',
        podSubnet: '10.244.0.0/16,fd10:244::/56',
      },
    },
  },
  'dual-stack, IPv6 first': {
    cluster: {
      ...ECDSA,
      networking: {
        serviceSubnet: 'fd10:96::/112,10.96.0.0/16',
        podSubnet: 'fd10:244::/56,10.244.0.0/16',
      },
    },
    localAPIEndpoint: { advertiseAddress: 'fd00:88::11' },
  },
  'other DNS domain and service subnet not on a boundary': {
    cluster: { ...ECDSA, networking: { dnsDomain: 'k8s.example.org', serviceSubnet: '172.20.37.9/22' } },
  },
  'extra SANs of all kinds, duplicated and out of order': {
    cluster: {
      ...ECDSA,
      apiServer: {
        certSANs: [
          'zeta.example',
          '*.apps.example',
          '10.88.0.11',
          '::1',
          '0:0::2',
          'kubernetes',
          'alpha',
          'alpha',
        ],
      },
    },
  },
  'IPv4-mapped and zero-padded SANs': {
    cluster: { ...ECDSA, apiServer: { certSANs: ['::ffff:10.0.0.9', '010.1.2.03', '2001:DB8::A'] } },
  },
  'etcd SANs': {
    cluster: {
      ...ECDSA,
      etcd: {
        local: { serverCertSANs: ['etcd.example', '10.9.9.9'], peerCertSANs: ['fd00::9', 'localhost'] },
      },
    },
  },
  'external etcd': {
    cluster: {
      ...ECDSA,
      etcd: {
        external: {
          endpoints: ['https://10.0.0.1:2379'],
          caFile: '/etc/etcd/ca.crt',
          certFile: '/etc/etcd/client.crt',
          keyFile: '/etc/etcd/client.key',
        },
      },
    },
  },
  'short validity': {
    cluster: { ...ECDSA, certificateValidityPeriod: '36h30m15s', caCertificateValidityPeriod: '720h0m0s' },
  },
  'validity beyond 2050 (GeneralizedTime)': {
    cluster: {
      ...ECDSA,
      certificateValidityPeriod: '262800h0m0s',
      caCertificateValidityPeriod: '876000h0m0s',
    },
  },
  'long dotted node name and other cluster name': {
    cluster: { ...ECDSA, clusterName: 'prod_eu@1' },
    nodeRegistration: { name: 'control-plane-0.europe-west.prod.internal.example.org' },
  },
  'cluster name that YAML 1.1 takes for a boolean': { cluster: { ...ECDSA, clusterName: 'yes' } },
};

/** A random configuration, valid for kubeadm, of all that certificates and kubeconfigs depend on. */
export function randomCase(): fc.Arbitrary<Case> {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
  const dnsName = fc
    .array(label, { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join('.'))
    .filter((name) => !/^[\d.]+$/.test(name));
  const ipv4 = fc.tuple(fc.integer({ min: 11, max: 200 }), octet(), octet(), octet()).map((parts) =>
    parts
      .filter((part) => part !== 127)
      .concat(1, 1)
      .slice(0, 4)
      .join('.'),
  );
  const ipv6 = fc
    .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 3, maxLength: 3 })
    .map((parts) => `fd00:${parts.map((part) => part.toString(16)).join(':')}::1`);
  const ip = fc.oneof(ipv4, ipv6);
  const san = fc.oneof(
    dnsName,
    dnsName.map((name) => `*.${name}`),
    ip,
  );
  const sans = fc.array(san, { maxLength: 5 });
  const port = fc.integer({ min: 1024, max: 65_535 });
  const endpoint = fc.oneof(
    dnsName,
    ipv4,
    fc
      .tuple(
        fc.oneof(
          dnsName,
          ipv4,
          ipv6.map((address) => `[${address}]`),
        ),
        port,
      )
      .map(([host, number]) => `${host}:${number}`),
  );
  const subnet4 = fc
    .tuple(ipv4, fc.integer({ min: 12, max: 24 }))
    .map(([address, prefix]) => `${address}/${prefix}`);
  const subnet6 = fc
    .tuple(ipv6, fc.integer({ min: 108, max: 116 }))
    .map(([address, prefix]) => `${address}/${prefix}`);
  const hours = (max: number) => fc.integer({ min: 1, max }).map((count) => `${count}h0m0s`);
  return fc
    .record({
      algorithm: fc.oneof(
        { weight: 8, arbitrary: fc.constant('ECDSA-P256' as const) },
        { weight: 2, arbitrary: fc.constant('ECDSA-P384' as const) },
        { weight: 1, arbitrary: fc.constant('RSA-2048' as const) },
      ),
      name: dnsName,
      clusterName: fc.oneof(
        fc.constant('kubernetes'),
        label,
        fc.constantFrom('on', '1e3', 'null', '0x1f', 'a: b'),
      ),
      endpoint: fc.option(endpoint, { nil: undefined }),
      bindPort: port,
      dnsDomain: dnsName,
      // An API server advertises an address of the family that services have first.
      addresses: fc.oneof(
        fc.record({ advertiseAddress: ipv4, serviceSubnet: subnet4 }),
        fc.record({ advertiseAddress: ipv6, serviceSubnet: subnet6 }),
        fc.record({
          advertiseAddress: ipv4,
          serviceSubnet: fc.tuple(subnet4, subnet6).map((pair) => pair.join(',')),
        }),
        fc.record({
          advertiseAddress: ipv6,
          serviceSubnet: fc.tuple(subnet6, subnet4).map((pair) => pair.join(',')),
        }),
      ),
      certSANs: sans,
      etcd: fc.oneof(
        fc.record({ serverCertSANs: sans, peerCertSANs: sans }).map((local) => ({ local })),
        fc.constant({ external: EXTERNAL }),
      ),
      certificateValidityPeriod: hours(300_000),
      caCertificateValidityPeriod: hours(900_000),
    })
    .map(
      ({
        algorithm,
        name,
        endpoint: controlPlaneEndpoint,
        addresses: { advertiseAddress, serviceSubnet },
        bindPort,
        dnsDomain,
        certSANs,
        ...rest
      }) => ({
        cluster: {
          ...rest,
          encryptionAlgorithm: algorithm,
          ...(controlPlaneEndpoint === undefined ? {} : { controlPlaneEndpoint }),
          networking: { dnsDomain, serviceSubnet },
          apiServer: { certSANs },
        },
        nodeRegistration: { name },
        localAPIEndpoint: { advertiseAddress, bindPort },
      }),
    );
}

const EXTERNAL = {
  endpoints: ['https://10.0.0.1:2379'],
  caFile: '/etc/etcd/ca.crt',
  certFile: '/etc/etcd/client.crt',
  keyFile: '/etc/etcd/client.key',
};

function octet(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 254 });
}
