import { describe, expect, it } from 'vitest';
import {
  clusterServerUrl,
  kubernetesServiceIp,
  localServerUrl,
  parseHostPort,
} from '../../../src/pki/endpoint.js';

const host = (advertiseAddress: string, bindPort = 6443) => ({
  name: 'cp1',
  localAPIEndpoint: { advertiseAddress, bindPort },
});

describe('clusterServerUrl', () => {
  it.each([
    [undefined, 'https://10.0.0.1:8443'],
    ['lb.example', 'https://lb.example:8443'],
    ['lb.example:443', 'https://lb.example:443'],
    ['[fd00::1]:443', 'https://[fd00::1]:443'],
    ['fd00::1', 'https://[fd00::1]:8443'],
  ])('turns controlPlaneEndpoint %s into %s', (controlPlaneEndpoint, expected) => {
    const cluster = controlPlaneEndpoint === undefined ? {} : { controlPlaneEndpoint };
    expect(clusterServerUrl({ cluster, host: host('10.0.0.1', 8443) })).toBe(expected);
  });
});

describe('localServerUrl', () => {
  it('puts the canonical IPv6 address in brackets', () => {
    expect(localServerUrl(host('fd00:0::0001'))).toBe('https://[fd00::1]:6443');
  });

  it.each(['not-an-address', '', 'fe80::1%eth0'])('names the host whose address is %j', (address) => {
    expect(() => localServerUrl(host(address))).toThrow(
      expect.objectContaining({ code: 'CONFIG', host: 'cp1' }),
    );
  });

  it('refuses a host without API server', () => {
    expect(() => localServerUrl({ name: 'w1', localAPIEndpoint: null })).toThrow(/w1/);
  });
});

describe('parseHostPort', () => {
  it.each(['', ':443', 'a:0', 'a:65536', 'a:b', 'https://a', 'a b', '[a', 'UPPER:1', '[::1]'])(
    'refuses %j',
    (text) => {
      expect(() => parseHostPort(text)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
    },
  );
});

describe('kubernetesServiceIp', () => {
  it.each([
    ['10.96.0.0/12', '10.96.0.1'],
    ['172.20.37.9/22', '172.20.36.1'],
    ['fd10:96::/112', 'fd10:96::1'],
    ['fd10::ffff/108,10.96.0.0/16', 'fd10::1'],
    ['10.96.0.0/16, fd10::/112', '10.96.0.1'],
  ])('is the first address of %s', (subnet, expected) => {
    expect(kubernetesServiceIp(subnet)).toBe(expected);
  });

  it.each(['', '10.0.0.0', '10.0.0.0/', 'a/8'])('refuses %j', (subnet) => {
    expect(() => kubernetesServiceIp(subnet)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});
