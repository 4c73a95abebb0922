import { expect, it } from 'vitest';
import { kubeconfigText, readKubeconfig } from '../../../src/pki/kubeconfig.js';

const CONTENT = {
  clusterName: 'kubernetes',
  server: 'https://10.0.0.1:6443',
  caPem: 'CA\n',
  userName: 'kubernetes-admin',
  user: { certPem: 'CERT\n', keyPem: 'KEY\n' },
};

it('writes what kubectl writes', () => {
  expect(kubeconfigText(CONTENT)).toBe(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0EK
    server: https://10.0.0.1:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
users:
- name: kubernetes-admin
  user:
    client-certificate-data: Q0VSVAo=
    client-key-data: S0VZCg==
`);
});

it.each(['yes', 'on', '1_000', '2026-11-23', '0x1f', '1e3', 'null', '~', 'a: b', '#x', '12:30:45'])(
  'keeps the cluster name %j a string in readers of YAML 1.1',
  (clusterName) => {
    const text = kubeconfigText({ ...CONTENT, clusterName });
    expect(text).toMatch(/ {2}name: ["']/);
    expect(readKubeconfig(text, 'x').clusterName).toBe(clusterName);
  },
);

it('reads back what it wrote', () => {
  expect(readKubeconfig(kubeconfigText(CONTENT), 'x')).toMatchObject({
    server: CONTENT.server,
    caPem: 'CA\n',
    userName: 'kubernetes-admin',
    certPem: 'CERT\n',
    keyPem: 'KEY\n',
    token: null,
  });
});

it.each([
  '',
  '[]',
  'a',
  'clusters: 1',
  'a: [',
  'current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]',
])('names the file that holds %j', (text) => {
  expect(() => readKubeconfig(text, '/etc/kubernetes/admin.conf')).toThrow(
    expect.objectContaining({ code: 'PKI', message: expect.stringContaining('/etc/kubernetes/admin.conf') }),
  );
});
