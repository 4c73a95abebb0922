import { describe, expect, it } from 'vitest';
import { withHostState, withKubernetesVersion } from '../../../src/config/edit.js';

const BLOCK = `# the demo cluster
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata:
  name: demo # its name
spec:
  hosts:
    # control planes
    - name: cp1
      role: control-plane
      address: 10.0.0.1

    - name: w1 # the old one
      role: worker
      address: 10.0.0.2
  bundle: ./bundle
---
# kubeadm's own
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet:   10.244.0.0/16}
`;

const FLOW = `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 10.0.0.1} # first
  - {name: w1, role: worker, address: 10.0.0.2, labels: {a: b}, taints: []}
`;

describe('withHostState', () => {
  it('adds one line to a file, and keeps comments, blank lines and other documents', () => {
    expect(withHostState(BLOCK, 'w1', 'absent')).toBe(
      BLOCK.replace('address: 10.0.0.2\n', 'address: 10.0.0.2\n      state: absent\n'),
    );
  });

  it('adds one word to a host on one line, in the style of the file', () => {
    expect(withHostState(FLOW, 'w1', 'absent')).toBe(
      FLOW.replace('taints: []}', 'taints: [], state: absent}'),
    );
  });

  it('keeps the order of the documents', () => {
    const [cluster = '', kubeadm = ''] = BLOCK.split('---\n');
    const turned = `${kubeadm}---\n${cluster}`;
    expect(withHostState(turned, 'w1', 'absent')).toBe(
      turned.replace('address: 10.0.0.2\n', 'address: 10.0.0.2\n      state: absent\n'),
    );
  });

  it('is the same text where nothing changes, and comes back to it', () => {
    expect(withHostState(BLOCK, 'w1', 'present')).toBe(BLOCK);
    const absent = withHostState(BLOCK, 'w1', 'absent');
    expect(withHostState(absent, 'w1', 'absent')).toBe(absent);
    expect(withHostState(absent, 'w1', 'present')).toBe(BLOCK);
  });

  it('refuses a host that is not there, and broken text', () => {
    expect(() => withHostState(BLOCK, 'w9', 'absent')).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => withHostState('a: [', 'w1', 'absent')).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('withKubernetesVersion', () => {
  it('changes the version and the bundle, and no other byte', () => {
    const beside = (before: string) => `${before}s/v1.37.0`;
    expect(withKubernetesVersion(BLOCK, 'v1.37.0', beside)).toBe(
      BLOCK.replace('v1.36.3', 'v1.37.0').replace('./bundle', './bundles/v1.37.0'),
    );
  });

  it('leaves a bundle alone that stays', () => {
    const quoted = BLOCK.replace('./bundle', '"./bundle" # ours');
    expect(withKubernetesVersion(quoted, 'v1.36.4', (before) => before)).toBe(
      quoted.replace('v1.36.3', 'v1.36.4'),
    );
  });

  it('says where a value is missing that it would change', () => {
    expect(() => withKubernetesVersion(FLOW, 'v1.37.0', (before) => before)).toThrow(
      /no kubernetesVersion of its own in ClusterConfiguration/,
    );
  });
});
