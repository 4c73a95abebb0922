import { describe, expect, it } from 'vitest';
import type { EndpointSpec } from '../../../../src/config/types.js';
import { endpointFiles } from '../../../../src/manifests/endpoint/files.js';
import { CP1, CP2, config, W1 } from '../fixture.js';

const VIRTUAL: EndpointSpec = {
  provider: 'keepalived-haproxy',
  address: '10.88.0.10',
  port: 8443,
  virtualRouterId: 51,
};
const LOCAL: EndpointSpec = { provider: 'node-local', address: '127.0.0.1', port: 7443, expose: false };

const withEndpoint = (endpoint: EndpointSpec | null, hosts = [CP1, CP2, W1]) =>
  config({ spec: { ...config().spec, endpoint }, hosts });

describe('the files of an endpoint', () => {
  it('are none where there is no endpoint, or an external one', () => {
    const external: EndpointSpec = { provider: 'external', address: 'api.example', port: 6443 };
    for (const endpoint of [null, external])
      for (const host of [CP1, W1]) expect([...endpointFiles(withEndpoint(endpoint), host)]).toEqual([]);
  });

  it('with a virtual address are on control planes only', async () => {
    const files = endpointFiles(withEndpoint(VIRTUAL), CP2, { networkInterface: 'host0' });
    expect([...files].map(([path, { mode }]) => `${mode.toString(8)} ${path}`)).toEqual([
      '644 /usr/lib/systemd/system/keelson-haproxy.service',
      '644 /etc/haproxy/keelson.cfg',
      '644 /usr/lib/systemd/system/keelson-keepalived.service',
      '755 /usr/libexec/keepalived/keelson-check',
      '644 /etc/keepalived/keelson.conf',
    ]);
    for (const [path, name] of [
      ['/usr/lib/systemd/system/keelson-haproxy.service', 'haproxy.service'],
      ['/etc/haproxy/keelson.cfg', 'virtual.cfg'],
      ['/usr/lib/systemd/system/keelson-keepalived.service', 'keepalived.service'],
      ['/usr/libexec/keepalived/keelson-check', 'check.sh'],
      ['/etc/keepalived/keelson.conf', 'keepalived.conf'],
    ] as const)
      await expect(files.get(path)?.content).toMatchFileSnapshot(`golden/${name}`);
    expect([...endpointFiles(withEndpoint(VIRTUAL), W1)]).toEqual([]);
  });

  it('that is node-local are on every host, and the same everywhere', async () => {
    const texts = [CP1, CP2, W1].map((host) => endpointFiles(withEndpoint(LOCAL), host));
    for (const files of texts) expect([...files]).toEqual([...(texts[0] ?? [])]);
    await expect(texts[0]?.get('/etc/haproxy/keelson.cfg')?.content).toMatchFileSnapshot(
      'golden/node-local.cfg',
    );
  });

  it('listen on the host’s own address where that is asked for', () => {
    const files = endpointFiles(withEndpoint({ ...LOCAL, expose: true }), W1);
    expect(files.get('/etc/haproxy/keelson.cfg')?.content).toContain(
      '    bind 127.0.0.1:7443\n    bind 10.88.0.21:7443\n',
    );
  });

  it('follow the set of control planes, those that are to be removed left out', () => {
    const absent = { ...CP2, state: 'absent' } as const;
    const text = endpointFiles(withEndpoint(LOCAL, [CP1, absent, W1]), W1).get(
      '/etc/haproxy/keelson.cfg',
    )?.content;
    expect(text).toContain('server cp1 10.88.0.11:6443');
    expect(text).not.toContain('cp2');
  });

  it('of a single control plane with a virtual address name no peers', () => {
    const text = endpointFiles(withEndpoint(VIRTUAL, [CP1, W1]), CP1).get(
      '/etc/keepalived/keelson.conf',
    )?.content;
    expect(text).not.toContain('unicast');
    expect(text).toContain('interface eth0');
  });

  it('bind to IPv6 alone where the virtual address is one', () => {
    const files = endpointFiles(withEndpoint({ ...VIRTUAL, address: 'fd00::10', interface: 'bond0' }), CP1);
    expect(files.get('/etc/haproxy/keelson.cfg')?.content).toContain('bind [::]:8443 v6only\n');
    expect(files.get('/etc/keepalived/keelson.conf')?.content).toContain('fd00::10/128 dev bond0\n');
  });
});
