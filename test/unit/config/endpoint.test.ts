import { describe, expect, it, test } from 'vitest';
import { printConfig } from '../../../src/config/print.js';
import { CLUSTER, errorOf, KUBEADM, parse, stream } from './support.js';

const withEndpoint = (endpoint: string, kubeadm = '') =>
  stream(`${CLUSTER}  endpoint: ${endpoint}\n`, `${KUBEADM}${kubeadm}`);

const resolved = (text: string) => {
  const { spec, cluster } = parse(text);
  return { endpoint: spec.endpoint, controlPlaneEndpoint: cluster.controlPlaneEndpoint };
};

describe('spec.endpoint', () => {
  it('is none by default, and external where controlPlaneEndpoint stands alone', () => {
    expect(resolved(stream(CLUSTER, KUBEADM))).toEqual({ endpoint: null });
    expect(resolved(stream(CLUSTER, `${KUBEADM}controlPlaneEndpoint: "[fd00::9]:443"\n`))).toEqual({
      endpoint: { provider: 'external', address: 'fd00::9', port: 443 },
      controlPlaneEndpoint: '[fd00::9]:443',
    });
    expect(resolved(stream(CLUSTER, `${KUBEADM}controlPlaneEndpoint: api.example\n`))).toEqual({
      endpoint: { provider: 'external', address: 'api.example', port: 6443 },
      controlPlaneEndpoint: 'api.example',
    });
  });

  it.each([
    ['{provider: external, address: api.example}', { provider: 'external', port: 6443 }, 'api.example:6443'],
    [
      '{provider: keepalived-haproxy, address: 10.0.0.9}',
      { provider: 'keepalived-haproxy', port: 8443, virtualRouterId: 51 },
      '10.0.0.9:8443',
    ],
    ['{provider: node-local}', { provider: 'node-local', port: 7443, expose: false }, '127.0.0.1:7443'],
  ])('%s is the controlPlaneEndpoint, with a port that is free', (text, endpoint, controlPlaneEndpoint) => {
    const found = resolved(withEndpoint(text));
    expect(found).toMatchObject({ endpoint, controlPlaneEndpoint });
    expect(parse(printConfig(parse(withEndpoint(text)))).spec.endpoint).toEqual(found.endpoint);
  });

  it('is on the loopback address of the control planes’ family', () => {
    const text = withEndpoint('{provider: node-local}')
      .replaceAll('10.0.0.1', 'fd00::1')
      .replaceAll('10.0.0.2', 'fd00::2')
      .replace('10.244.0.0/16', 'fd01::/56')
      .replace('networking: {', 'networking: {serviceSubnet: fd02::/112, ');
    expect(resolved(text).controlPlaneEndpoint).toBe('[::1]:7443');
  });

  it('may be said twice, in the same words', () => {
    const text = withEndpoint(
      '{provider: external, address: api.example}',
      'controlPlaneEndpoint: api.example\n',
    );
    expect(resolved(text).endpoint).toMatchObject({ address: 'api.example', port: 6443 });
  });
});

test.each([
  [
    '{provider: external}',
    'spec.endpoint.provider: needs an address: add the address or name of your load balancer',
  ],
  [
    '{provider: keepalived-haproxy, address: api.example}',
    'spec.endpoint.address: api.example is a name: the virtual address is an IP address',
  ],
  [
    '{provider: keepalived-haproxy, address: 10.0.0.2}',
    'spec.endpoint.address: 10.0.0.2 is that of w1: take a free one',
  ],
  [
    '{provider: keepalived-haproxy, address: 10.244.1.1}',
    'spec.endpoint.address: 10.244.1.1 lies in the pod range 10.244.0.0/16',
  ],
  [
    '{provider: keepalived-haproxy, address: "fd00::1"}',
    'spec.endpoint.address: fd00::1 is not of the address family of cp1',
  ],
  [
    '{provider: keepalived-haproxy, address: 10.0.0.9, port: 6443}',
    'spec.endpoint.port: port 6443 is that of the API server on the same host',
  ],
  [
    '{provider: keepalived-haproxy, address: 10.0.0.9, port: 10249}',
    "spec.endpoint.port: port 10250 is that of the kubelet on the same host, and HAProxy's health is asked for on the port after it",
  ],
  [
    '{provider: node-local, address: 10.0.0.9}',
    'spec.endpoint.address: means nothing with provider node-local',
  ],
  ['{provider: node-lokal}', 'did you mean `node-local`?'],
  [
    '{provider: external, address: a, interface: eth0}',
    'spec.endpoint.interface: means nothing with provider external',
  ],
])('%s is refused: %s', (endpoint, message) => {
  expect(errorOf(withEndpoint(endpoint)).message).toContain(message);
});

test('another controlPlaneEndpoint than that of spec.endpoint is refused', () => {
  const text = withEndpoint('{provider: node-local}', 'controlPlaneEndpoint: api.example:6443\n');
  expect(errorOf(text).message).toContain(
    'controlPlaneEndpoint: api.example:6443 is not 127.0.0.1:7443, which spec.endpoint gives: leave it out, and it follows',
  );
});
