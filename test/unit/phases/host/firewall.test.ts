import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { firewallState, openingsOf } from '../../../../src/phases/firewall.js';
import { CP1, config, host, W1 } from '../../manifests/fixture.js';

const testdata = (name: string) => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');
const closed = (probe: string, wanted = openingsOf(config(), CP1)) => firewallState(probe, wanted)?.closed;

describe('what has to get through a firewall', () => {
  it('depends on the role', () => {
    expect(openingsOf(config(), CP1).ports).toEqual([
      '6443/tcp',
      '2379-2380/tcp',
      '10250/tcp',
      '10256/tcp',
      '8472/udp',
      '30000-32767/tcp',
      '30000-32767/udp',
    ]);
    expect(openingsOf(config(), W1).ports).not.toContain('6443/tcp');
    expect(openingsOf(config(), W1).ports).not.toContain('2379-2380/tcp');
    expect(openingsOf(config(), host('etcd1', 'etcd', '10.88.0.31'))).toEqual({
      ports: ['2379-2380/tcp'],
      protocols: [],
      networks: [],
    });
  });

  it('follows the configuration: VXLAN’s port, node ports, a missing kube-proxy', () => {
    const { spec, cluster } = config();
    const network = {
      plugin: 'flannel',
      backend: 'host-gw',
      directRouting: false,
      port: 8472,
      vni: 1,
      nftables: false,
    } as const;
    expect(openingsOf(config({ spec: { ...spec, network } }), W1).ports).not.toContain('8472/udp');
    const apiServer = { extraArgs: [{ name: 'service-node-port-range', value: '20000+100' }] };
    const ports = openingsOf(
      config({ cluster: { ...cluster, apiServer, proxy: { disabled: true } } }),
      W1,
    ).ports;
    expect(ports).toContain('20000-20100/tcp');
    expect(ports).not.toContain('10256/tcp');
  });
});

describe('an endpoint on the hosts', () => {
  const { spec } = config();
  const virtual = {
    provider: 'keepalived-haproxy',
    address: '10.88.0.10',
    port: 8443,
    virtualRouterId: 51,
  } as const;
  const local = { provider: 'node-local' as const, address: '127.0.0.1', port: 7443, expose: false };
  const withEndpoint = (endpoint: typeof virtual | typeof local) => config({ spec: { ...spec, endpoint } });

  it('needs its port and VRRP open on control planes that hold a virtual address in turn', () => {
    const wanted = openingsOf(withEndpoint(virtual), CP1);
    expect([wanted.ports.includes('8443/tcp'), wanted.protocols]).toEqual([true, ['vrrp']]);
    const worker = openingsOf(withEndpoint(virtual), W1);
    expect([worker.ports.includes('8443/tcp'), worker.protocols]).toEqual([false, []]);
    const firewalld = firewallState(testdata('firewalld-closed'), wanted);
    expect(firewalld?.commands[0]?.at(-1)).toBe('--add-protocol=vrrp');
    const open = testdata('firewalld-closed').replaceAll(/^( *)protocols:.*$/gm, '$1protocols: vrrp');
    expect(firewallState(open, wanted)?.closed).not.toContain('vrrp');
    const ufw = firewallState(testdata('ufw-closed'), wanted);
    expect(ufw?.commands).toContainEqual(['ufw', 'allow', 'to', 'any', 'proto', 'vrrp']);
    expect(
      closed(`${testdata('ufw-open-cp1')}ufw allow 8443/tcp\nufw allow to any proto vrrp\n`, wanted),
    ).toEqual([]);
  });

  it('needs nothing on the loopback interface, and its port where it is exposed', () => {
    expect(openingsOf(withEndpoint(local), W1)).toEqual(openingsOf(config(), W1));
    const exposed = openingsOf(withEndpoint({ ...local, expose: true }), W1);
    expect([exposed.ports.includes('7443/tcp'), exposed.protocols]).toEqual([true, []]);
  });
});

describe('firewalld', () => {
  it('counts ranges, and ports that are open only until the next start', () => {
    const half = testdata('firewalld-open-w1');
    expect(closed(half, openingsOf(config(), W1))).toEqual([]);
    const state = firewallState(
      half.replace(/(# later[\s\S]*?ports:).*/, '$1 10000-11000/tcp'),
      openingsOf(config(), W1),
    );
    expect(state?.commands).toEqual([
      [
        'firewall-cmd',
        '--permanent',
        '--zone=public',
        '--add-port=8472/udp',
        '--add-port=30000-32767/tcp',
        '--add-port=30000-32767/udp',
      ],
    ]);
  });

  it('needs no ports in a zone that takes everything', () => {
    const open = testdata('firewalld-closed').replaceAll('target: default', 'target: ACCEPT');
    expect(closed(open)).toEqual(['10.244.0.0/16']);
  });
});

describe('ufw', () => {
  it('takes a port without a protocol for both, and rules with comments', () => {
    const open = `${testdata('ufw-open-cp1')
      .replace('ufw allow 6443/tcp', 'ufw allow 6443')
      .replace('ufw allow 10250/tcp', "ufw allow 10250/tcp comment 'kubelet'")}`;
    expect(closed(open)).toEqual([]);
    expect(closed(open.replace('ufw allow 8472/udp\n', ''))).toEqual(['8472/udp']);
  });
});

describe('a host without either', () => {
  it('is not judged', () => {
    expect(firewallState('', openingsOf(config(), CP1))).toBeNull();
  });
});
