import { describe, expect, it } from 'vitest';
import { CLUSTER, KUBEADM, parse, stream } from './support.js';

const kubelet = (more = '') =>
  `apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nserverTLSBootstrap: true\n${more}`;
const FLAG = 'kubelet-certificate-authority';

describe('API servers', () => {
  const argsOf = (...documents: string[]) =>
    parse(stream(CLUSTER, ...documents)).cluster.apiServer.extraArgs ?? [];

  it('check kubelets where these ask the cluster for their certificates', () => {
    expect(argsOf(KUBEADM, kubelet())).toEqual([{ name: FLAG, value: '/etc/kubernetes/pki/ca.crt' }]);
    expect(argsOf(`${KUBEADM}certificatesDir: /pki\n`, kubelet())).toEqual([
      { name: FLAG, value: '/pki/ca.crt' },
    ]);
    expect(argsOf(KUBEADM)).toEqual([]);
  });

  it('do not where kubelets have certificates of their own', () => {
    expect(argsOf(KUBEADM, kubelet('tlsCertFile: /own.crt\ntlsPrivateKeyFile: /own.key\n'))).toEqual([]);
  });

  it('check as the file says', () => {
    const given = (value: string) =>
      `${KUBEADM}apiServer: {extraArgs: [{name: ${FLAG}, value: '${value}'}]}\n`;
    for (const value of ['', '/other.crt'])
      expect(argsOf(given(value), kubelet())).toEqual([{ name: FLAG, value }]);
  });
});
