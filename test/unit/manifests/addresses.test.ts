import { describe, expect, it } from 'vitest';
import { controlPlaneUrl, dnsServiceIP } from '../../../src/manifests/addresses.js';
import { config, W1 } from './fixture.js';

describe('dnsServiceIP', () => {
  it.each([
    ['10.96.0.0/12', '10.96.0.10'],
    ['10.96.0.77/12', '10.96.0.10'],
    ['10.1.2.240/28', '10.1.2.250'],
    ['10.0.0.248/27', '10.0.0.234'],
    ['fd00:10:96::/112', 'fd00:10:96::a'],
    ['fd00:10:96::/112,10.96.0.0/16', 'fd00:10:96::a'],
  ])('is the tenth address of %s', (subnet, expected) => {
    expect(dnsServiceIP(subnet)).toBe(expected);
  });

  it.each(['10.0.0.0/29', '10.0.0.0', '10.0.0/8', '', '10.0.0.0/33'])('refuses %j', (subnet) => {
    expect(() => dnsServiceIP(subnet)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('controlPlaneUrl', () => {
  it.each([
    [undefined, 'https://10.88.0.11:6443'],
    ['k8s.example.com', 'https://k8s.example.com:6443'],
    ['k8s.example.com:443', 'https://k8s.example.com:443'],
    ['fd00::1', 'https://[fd00::1]:6443'],
    ['[fd00::1]', 'https://[fd00::1]:6443'],
    ['[fd00::1]:8443', 'https://[fd00::1]:8443'],
  ])('of the endpoint %s is %s', (controlPlaneEndpoint, expected) => {
    expect(
      controlPlaneUrl(config({}, controlPlaneEndpoint === undefined ? {} : { controlPlaneEndpoint })),
    ).toBe(expected);
  });

  it('needs a control plane', () => {
    expect(() => controlPlaneUrl(config({ hosts: [W1] }))).toThrow(
      expect.objectContaining({ code: 'CONFIG' }),
    );
  });
});
