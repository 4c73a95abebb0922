import type { DaemonSet } from 'kubernetes-types/apps/v1.js';
import { describe, expect, it } from 'vitest';
import type { NetworkSpec } from '../../../src/config/types.js';
import {
  FLANNEL_CONFIG_ANNOTATION,
  flannelCniConflist,
  flannelConfigDigest,
  flannelNetConf,
  flannelObjects,
} from '../../../src/manifests/flannel.js';
import { config } from './fixture.js';

function netConf(network: NetworkSpec, podSubnet: string): unknown {
  const base = config();
  const { networking } = base.cluster;
  return JSON.parse(
    flannelNetConf(config({ spec: { ...base.spec, network } }, { networking: { ...networking, podSubnet } })),
  );
}

const vxlan = {
  plugin: 'flannel',
  backend: 'vxlan',
  directRouting: false,
  port: 8472,
  vni: 1,
  nftables: false,
} as const;

describe('flannel', () => {
  it('writes the VXLAN backend with port, VNI, direct routing, and the MTU that leaves pods theirs', () => {
    expect(
      netConf({ ...vxlan, directRouting: true, vni: 4097, port: 4789, mtu: 1400 }, '10.244.0.0/16'),
    ).toEqual({
      Network: '10.244.0.0/16',
      EnableNFTables: false,
      Backend: { Type: 'vxlan', VNI: 4097, Port: 4789, DirectRouting: true, MTU: 1450 },
    });
  });

  it('writes the host-gw backend', () => {
    expect(netConf({ ...vxlan, backend: 'host-gw' }, '10.244.0.0/16')).toMatchObject({
      Backend: { Type: 'host-gw' },
    });
  });

  it('writes the wireguard backend, with a port for IPv6 beside', () => {
    expect(
      netConf({ ...vxlan, backend: 'wireguard', port: 51820, mtu: 1400 }, '10.244.0.0/16'),
    ).toMatchObject({
      Backend: { Type: 'wireguard', ListenPort: 51820, ListenPortV6: 51821, MTU: 1480 },
    });
  });

  it('masquerades by nftables if told', () => {
    expect(netConf({ ...vxlan, nftables: true }, '10.244.0.0/16')).toMatchObject({ EnableNFTables: true });
  });

  it('takes the interface by name or by pattern if told', () => {
    const args = (more: object) =>
      JSON.stringify(
        flannelObjects(config({ spec: { ...config().spec, network: { ...vxlan, ...more } } })).at(-1),
      );
    expect(args({ interface: 'eth1' })).toContain('"--iface=eth1"');
    expect(args({ interfacePattern: '^10\\.' })).toContain('"--iface-regex=^10\\\\."');
    expect(args({ interface: 'eth1' })).not.toContain('HOST_IP)');
  });

  it('makes its pods anew where what they read at their start has changed, and only then', () => {
    const digest = (network: NetworkSpec) =>
      flannelConfigDigest(config({ spec: { ...config().spec, network } }));
    expect(digest({ ...vxlan, backend: 'host-gw' })).not.toBe(digest(vxlan));
    expect(digest({ ...vxlan, interface: 'eth1' })).not.toBe(digest(vxlan));
    expect(digest({ ...vxlan })).toBe(digest(vxlan));
    const daemonSet = flannelObjects(config()).at(-1) as DaemonSet;
    expect(daemonSet.spec?.template.metadata?.annotations?.[FLANNEL_CONFIG_ANNOTATION]).toBe(
      flannelConfigDigest(config()),
    );
  });

  it('enables IPv6 beside IPv4, and alone', () => {
    expect(netConf(vxlan, 'fd00:244::/56,10.244.0.0/16')).toMatchObject({
      Network: '10.244.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fd00:244::/56',
    });
    expect(netConf(vxlan, 'fd00:244::/56')).toMatchObject({ EnableIPv4: false, EnableIPv6: true });
  });

  it('needs a pod subnet', () => {
    expect(() => netConf(vxlan, '')).toThrow(
      expect.objectContaining({ code: 'CONFIG', hint: expect.any(String) }),
    );
  });

  it('gives the ConfigMap the same CNI configuration as the node', () => {
    const map = flannelObjects(config()).find((object) => object.kind === 'ConfigMap');
    expect(map).toMatchObject({ data: { 'cni-conf.json': flannelCniConflist() } });
  });

  it('lists namespace first and DaemonSet last, in a privileged namespace', () => {
    const objects = flannelObjects(config());
    expect(objects.map((object) => object.kind)).toEqual([
      'Namespace',
      'ServiceAccount',
      'ClusterRole',
      'ClusterRoleBinding',
      'ConfigMap',
      'DaemonSet',
    ]);
    expect(objects[0]?.metadata?.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'privileged',
    });
  });

  it('has flanneld use the network of the nodes’ own addresses', () => {
    const flanneld = (podSubnet: string) => {
      const { cluster, hosts } = config();
      const hostsV6 = hosts.map((host, i) => ({ ...host, nodeIP: `fd00::${i + 1}` }));
      const networking = { ...cluster.networking, podSubnet };
      const v6 = podSubnet.startsWith('fd');
      return JSON.stringify(
        flannelObjects({
          ...config(),
          hosts: v6 ? hostsV6 : hosts,
          cluster: { ...cluster, networking },
        }).at(-1),
      );
    };
    expect(flanneld('10.244.0.0/16')).toContain('--iface=$(HOST_IP)');
    expect(flanneld('10.244.0.0/16,fd01::/56')).toContain('--iface=$(HOST_IP)');
    expect(flanneld('fd01::/56')).toContain('--iface=$(HOST_IP)');
    expect(flanneld('fd01::/56,10.244.0.0/16')).toContain('--public-ipv6=$(HOST_IP)');
  });

  it('uses other images if told', () => {
    const images = { flannel: 'example.com/f:1', cniPlugin: 'example.com/p:1' };
    const daemonSet = flannelObjects(config(), images).at(-1) as DaemonSet;
    const spec = daemonSet.spec?.template.spec;
    expect([...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map((c) => c.image)).toEqual([
      'example.com/p:1',
      'example.com/f:1',
      'example.com/f:1',
    ]);
  });
});
