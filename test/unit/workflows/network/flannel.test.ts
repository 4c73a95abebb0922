import { describe, expect, it } from 'vitest';
import type { FlannelNetwork } from '../../../../src/config/types.js';
import {
  type FlannelNode,
  type FlannelView,
  judgeFlannel,
} from '../../../../src/workflows/network/flannel.js';
import type { SeenNetwork } from '../../../../src/workflows/network/see.js';
import { FACTS } from '../../phases/preflight/support.js';

const VXLAN: FlannelNetwork = {
  plugin: 'flannel',
  backend: 'vxlan',
  directRouting: false,
  port: 8472,
  vni: 1,
  nftables: false,
};

const node = (n: number, backend = 'vxlan', address = `10.0.0.${n}`): FlannelNode => ({
  name: `n${n}`,
  podCIDRs: [`10.244.${n}.0/24`],
  backend,
  publicIP: { 4: address, 6: '' },
  vtepMAC: { 4: `aa:00:00:00:00:0${n}`, 6: '' },
});

const kernelRoute = { dst: '10.244.1.0/24', gateway: null, dev: 'cni0', protocol: 'kernel' };

const overTunnel = (n: number) => ({
  dst: `10.244.${n}.0/24`,
  gateway: `10.244.${n}.0`,
  dev: 'flannel.1',
  protocol: '',
});

const seen = (more: Partial<SeenNetwork> = {}): SeenNetwork => ({
  routes: [kernelRoute, overTunnel(2)],
  links: [
    { name: 'eth0', mtu: 1500, master: null },
    { name: 'flannel.1', mtu: 1450, master: null },
    { name: 'veth1', mtu: 1450, master: 'cni0' },
  ],
  forwarding: [{ mac: 'aa:00:00:00:00:02', dev: 'flannel.1', dst: '10.0.0.2' }],
  neighbours: [{ address: '10.244.2.0', dev: 'flannel.1', mac: 'aa:00:00:00:00:02' }],
  subnetEnv: new Map([
    ['FLANNEL_SUBNET', '10.244.1.1/24'],
    ['FLANNEL_MTU', '1450'],
  ]),
  cni: ['10-flannel.conflist'],
  stray: [],
  ...more,
});

const view = (more: Partial<FlannelView> = {}): FlannelView => ({
  network: VXLAN,
  podSubnets: ['10.244.0.0/16'],
  self: node(1),
  peers: [node(2)],
  seen: seen(),
  facts: { ...FACTS, addresses: [{ interface: 'eth0', address: '10.0.0.1', prefix: 24, mtu: 1500 }] },
  ...more,
});

describe('flannel on a node', () => {
  it('is right with a route, an FDB entry and a neighbour for each peer', () => {
    expect(judgeFlannel(view())).toEqual({
      routes: { expected: 1, found: 1 },
      forwarding: { expected: 1, found: 1 },
      mtu: 1450,
      problems: [],
      notes: [],
    });
  });

  it('lacks what is not there', () => {
    const bare = judgeFlannel(
      view({ seen: seen({ routes: [kernelRoute], forwarding: [], neighbours: [] }) }),
    );
    expect(bare.routes).toEqual({ expected: 1, found: 0 });
    expect(bare.forwarding).toEqual({ expected: 1, found: 0 });
    expect(bare.problems).toEqual([
      'no route to 10.244.2.0/24 of n2, which should go over flannel.1',
      'flannel.1 does not know the host of n2 (no FDB entry for aa:00:00:00:00:02)',
      'flannel.1 has no neighbour entry for n2 (aa:00:00:00:00:02)',
    ]);
    const moved = judgeFlannel(view({ peers: [node(2, 'vxlan', '10.0.0.9')] }));
    expect(moved.problems).toEqual(['flannel.1 sends frames for n2 to 10.0.0.2 instead of 10.0.0.9']);
  });

  it('routes directly with host-gw, and with directRouting to hosts of its own network only', () => {
    const direct = { dst: '10.244.2.0/24', gateway: '10.0.0.2', dev: 'eth0', protocol: '' };
    const env = new Map([...seen().subnetEnv, ['FLANNEL_MTU', '1500']]);
    const gateway = view({
      network: { ...VXLAN, backend: 'host-gw' },
      self: node(1, 'host-gw'),
      peers: [node(2, 'host-gw')],
      seen: seen({ routes: [kernelRoute, direct], subnetEnv: env, forwarding: [], neighbours: [] }),
    });
    expect(judgeFlannel(gateway)).toMatchObject({ problems: [], forwarding: null });
    expect(judgeFlannel({ ...gateway, seen: seen({ subnetEnv: env }) }).problems).toEqual([
      'the route to 10.244.2.0/24 of n2 goes via 10.244.2.0 on flannel.1 instead of via 10.0.0.2',
    ]);
    const mixed = judgeFlannel(
      view({
        network: { ...VXLAN, directRouting: true },
        peers: [node(2), node(3, 'vxlan', '192.0.2.3')],
        seen: seen({
          routes: [kernelRoute, direct, overTunnel(3)],
          forwarding: [{ mac: 'aa:00:00:00:00:03', dev: 'flannel.1', dst: '192.0.2.3' }],
          neighbours: [{ address: '10.244.3.0', dev: 'flannel.1', mac: 'aa:00:00:00:00:03' }],
        }),
      }),
    );
    expect(mixed).toMatchObject({
      problems: [],
      routes: { expected: 2, found: 2 },
      forwarding: { expected: 1, found: 1 },
    });
  });

  it('says what readiness does not', () => {
    const problems = (more: Partial<SeenNetwork>) => judgeFlannel(view({ seen: seen(more) })).problems;
    const routes = [...seen().routes, overTunnel(9)];
    expect(problems({ routes })).toEqual([
      'a route to 10.244.9.0/24, which no node has, goes via 10.244.9.0 on flannel.1',
    ]);
    expect(problems({ cni: ['00-other.conf', '10-flannel.conflist'] })).toEqual([
      'containerd takes the CNI configuration 00-other.conf, which goes before 10-flannel.conflist',
    ]);
    expect(problems({ subnetEnv: new Map([['FLANNEL_SUBNET', '10.244.7.1/24']]) })).toEqual([
      'flannel serves 10.244.7.1/24, the node has 10.244.1.0/24',
    ]);
    expect(problems({ subnetEnv: new Map([...seen().subnetEnv, ['FLANNEL_MTU', '1400']]) })).toEqual([
      'pods get an MTU of 1400 instead of 1450',
    ]);
    expect(problems({ links: [] })).toEqual(['there is no interface flannel.1']);
    expect(problems({ stray: ['table ip kube-proxy'] })).toEqual([
      'left over of a former network: table ip kube-proxy',
    ]);
    expect(judgeFlannel(view({ peers: [node(2, 'host-gw')] })).problems).toEqual([
      'n2 has backend host-gw instead of vxlan',
    ]);
  });

  it('notes pods that still have a larger MTU', () => {
    const links = [...seen().links, { name: 'veth2', mtu: 1500, master: 'cni0' }];
    expect(judgeFlannel(view({ seen: seen({ links }) })).notes).toEqual([
      '1 pod has a larger MTU than the network (1450) and rely on path MTU discovery: restart them',
    ]);
  });
});
