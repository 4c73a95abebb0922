import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { markedManifest } from '../../../src/manifests/marked-pod.js';

const MANIFEST = `apiVersion: v1
kind: Pod
metadata:
  name: kube-controller-manager
spec:
  containers:
  - command:
    - kube-controller-manager
    - --cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt
    - --cluster-signing-key-file=/etc/kubernetes/pki/ca.key
    - --leader-elect=true
    name: kube-controller-manager
`;

describe('a marked manifest', () => {
  it('has the mark and the other arguments, and is else the same', () => {
    const marked = parse(
      markedManifest(MANIFEST, '/m.yaml', {
        value: 'a1/trust',
        arguments: { 'cluster-signing-cert-file': '/signer.crt' },
      }),
    );
    const { metadata, spec } = parse(MANIFEST);
    expect(marked.metadata).toEqual({ ...metadata, annotations: { 'keelson.dev/rotation': 'a1/trust' } });
    expect(marked.spec.containers[0].command).toEqual(
      spec.containers[0].command.map((word: string) =>
        word.replace('/etc/kubernetes/pki/ca.crt', '/signer.crt'),
      ),
    );
  });

  it('is the same text for the same mark', () => {
    const mark = { value: 'a1/trust' };
    expect(markedManifest(MANIFEST, '/m.yaml', mark)).toBe(markedManifest(MANIFEST, '/m.yaml', mark));
  });

  it('is refused where an argument is not there to be replaced', () => {
    expect(() => markedManifest(MANIFEST, '/m.yaml', { value: 'x', arguments: { bind: '1' } })).toThrow(
      '/m.yaml has no argument --bind',
    );
    expect(() => markedManifest('a: 1\n', '/m.yaml', { value: 'x' })).toThrow(/no manifest/);
  });
});
