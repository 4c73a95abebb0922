import { describe, expect, it } from 'vitest';
import { knownOptions, unknownOptions } from '../../../../src/config/known-options/unknown.js';
import { CLUSTER, KUBEADM, parse, stream } from '../support.js';

const problems = (kubeadm: string, ...documents: string[]) =>
  unknownOptions(parse(stream(CLUSTER, KUBEADM + kubeadm, ...documents)));

describe('unknownOptions', () => {
  it('takes everything that a plain cluster has', () => {
    expect(problems('')).toEqual([]);
  });

  it('names flags that a program of this version has not, and what may be meant', () => {
    const found = problems(
      'apiServer: {extraArgs: [{name: storage-media-typ, value: x}, {name: v, value: "2"}]}\n' +
        'scheduler: {extraArgs: [{name: port, value: "0"}]}\n',
    );
    expect(found.map(({ message }) => message)).toEqual([
      'kube-apiserver v1.36.3 has no flag --storage-media-typ',
      'kube-scheduler v1.36.3 has no flag --port',
    ]);
    expect(found[0]?.remedy).toContain('storage-media-type');
  });

  it('names feature gates that are gone, and those that are locked to another value', () => {
    const found = problems(
      'controllerManager: {extraArgs: [{name: feature-gates, value: "NoSuchGate=true,AllAlpha=false"}]}\n',
      'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfeatureGates: {InPlacePodVerticalScaling: false}\n',
    );
    expect(found.map(({ place, message }) => `${place}: ${message}`)).toEqual([
      'controllerManager.extraArgs: Kubernetes v1.36.3 has no feature gate NoSuchGate',
      'KubeletConfiguration: in Kubernetes v1.36.3 the feature gate InPlacePodVerticalScaling is always true',
    ]);
  });

  it('knows nothing of versions that it has no list for', () => {
    expect(knownOptions('v1.99.0')).toBeNull();
  });
});
