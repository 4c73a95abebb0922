import { describe, expect, it } from 'vitest';
import {
  companionTags,
  controlPlaneImages,
  corednsImage,
  isAtLeast,
  kubernetesImage,
  workerImages,
} from '../../../src/manifests/image-names.js';
import { config } from './fixture.js';

describe('image names', () => {
  it("lists what kubeadm 1.36 would pull on a control plane, in kubeadm's order", () => {
    expect(controlPlaneImages(config().cluster)).toEqual([
      'registry.k8s.io/kube-apiserver:v1.36.3',
      'registry.k8s.io/kube-controller-manager:v1.36.3',
      'registry.k8s.io/kube-scheduler:v1.36.3',
      'registry.k8s.io/kube-proxy:v1.36.3',
      'registry.k8s.io/coredns/coredns:v1.14.2',
      'registry.k8s.io/pause:3.10.2',
      'registry.k8s.io/etcd:3.6.8-0',
    ]);
  });

  it('knows the companions of 1.35', () => {
    expect(companionTags('v1.35.4')).toEqual({ etcd: '3.6.6-0', coredns: 'v1.13.1', pause: '3.10.1' });
  });

  it('needs neither control plane nor etcd on a worker, and no add-on that is disabled', () => {
    expect(workerImages(config({}, { proxy: { disabled: true } }).cluster)).toEqual([
      'registry.k8s.io/coredns/coredns:v1.14.2',
      'registry.k8s.io/pause:3.10.2',
    ]);
  });

  it('puts CoreDNS in a folder of its own only in the default repository', () => {
    expect(corednsImage(config({}, { imageRepository: 'example.com/k8s' }).cluster)).toBe(
      'example.com/k8s/coredns:v1.14.2',
    );
  });

  it('replaces the plus sign of a build in tags', () => {
    expect(kubernetesImage(config({}, { kubernetesVersion: 'v1.36.4-rc.0+1' }).cluster, 'kube-proxy')).toBe(
      'registry.k8s.io/kube-proxy:v1.36.4-rc.0_1',
    );
  });

  it('refuses a minor version that it does not know', () => {
    expect(() => companionTags('v1.20.0')).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });

  it('compares minor versions as numbers', () => {
    expect(isAtLeast('v1.36.3', '1.9')).toBe(true);
    expect(isAtLeast('v1.35.4', '1.36')).toBe(false);
    expect(isAtLeast('v2.0.0', '1.36')).toBe(true);
  });
});
