import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../src/phases/diagnosis.js';

describe('diagnose', () => {
  it.each([
    ['kubelet: failed\ncontainerd: active', 'the kubelet is failed'],
    ['kubelet: active\ncontainerd: inactive', 'containerd is inactive'],
    [
      'kubelet: active\ncontainerd: active\nkube-apiserver:\nlisten tcp 0.0.0.0:6443: bind: address already in use',
      'port 6443 is taken by something else',
    ],
    ['etcd:\nwrite /var/lib/etcd/member/wal: no space left on device', 'a disk is full'],
    [
      'pod kube-system/coredns, coredns: ErrImagePull failed to pull and unpack image "registry.k8s.io/coredns/coredns:v1.14.2"',
      "the image registry.k8s.io/coredns/coredns:v1.14.2 is not on the node and can't be pulled",
    ],
    [
      'tls: failed to verify certificate: x509: certificate signed by unknown authority',
      'certificates do not fit: x509: certificate signed by unknown authority',
    ],
  ])('names the cause in %j', (evidence, cause) => {
    expect(diagnose(evidence)?.cause).toBe(cause);
  });

  it('tells a cause before the symptoms that follow from it', () => {
    const evidence = 'kubelet: active\ncontainerd: active\nImagePullBackOff\nwrite: no space left on device';
    expect(diagnose(evidence)?.cause).toBe('a disk is full');
  });

  it('does not guess where evidence names no cause it knows', () => {
    expect(diagnose('kubelet: active\ncontainerd: active\nall is well')).toBeNull();
  });
});
