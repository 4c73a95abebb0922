import { describe, expect, it } from 'vitest';
import { freeSubnet, gatewayOf, planNodes } from '../../../src/lab/address-plan.js';
import { usedNetworks } from '../../../src/lab/network.js';

describe('address plan', () => {
  it('takes 10.88.0.0/24 on a computer that has none of it', () => {
    expect(freeSubnet(['default', '192.0.2.0/24', 'fd00::/64'])).toBe('10.88.0.0/24');
  });

  it('leaves the subnets of other labs and single routed addresses alone', () => {
    expect(freeSubnet(['10.88.0.1/24', '10.88.1.0/24', '10.88.2.7'])).toBe('10.88.3.0/24');
  });

  it('goes to 10.87 where one network covers all of 10.88, as podman does', () => {
    expect(freeSubnet(['10.88.0.0/16'])).toBe('10.87.0.0/24');
  });

  it('says so when no subnet is free', () => {
    expect(() => freeSubnet(['10.0.0.0/8'])).toThrow(expect.objectContaining({ code: 'LAB' }));
  });

  it('numbers control planes from .11, workers from .21, and the bridge .1', () => {
    expect(planNodes('10.88.4.0/24', 2, 2)).toEqual([
      { name: 'cp1', role: 'control-plane', address: '10.88.4.11' },
      { name: 'cp2', role: 'control-plane', address: '10.88.4.12' },
      { name: 'w1', role: 'worker', address: '10.88.4.21' },
      { name: 'w2', role: 'worker', address: '10.88.4.22' },
    ]);
    expect(gatewayOf('10.88.4.0/24')).toBe('10.88.4.1');
  });

  it('gives every node of the biggest lab an address of its own', () => {
    const nodes = planNodes('10.88.0.0/24', 9, 99, 6);
    expect(new Set(nodes.map((node) => node.address)).size).toBe(114);
  });

  it.each([
    [0, 1],
    [10, 0],
    [1, 100],
    [1, -1],
    [1.5, 0],
  ])('refuses %d control planes and %d workers', (controlPlanes, workers) => {
    expect(() => planNodes('10.88.0.0/24', controlPlanes, workers)).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });

  it('finds what is in use in the output of ip', () => {
    const routes = '[{"dst":"default","gateway":"192.0.2.1"},{"type":"local","dst":"10.88.0.1"}]';
    const addresses =
      '[{"ifname":"eth0","addr_info":[{"family":"inet","local":"192.0.2.2","prefixlen":24},' +
      '{"family":"inet6","local":"fd00::2","prefixlen":64}]},{"ifname":"ifb0","addr_info":[]}]';
    expect(usedNetworks(routes, addresses)).toEqual(['default', '10.88.0.1', '192.0.2.2/24']);
    expect(usedNetworks('', '')).toEqual([]);
  });
});
