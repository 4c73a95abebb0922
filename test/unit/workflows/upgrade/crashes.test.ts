import { describe, expect, it } from 'vitest';
import { crashOf, kubeletCrash } from '../../../../src/workflows/upgrade/crashes.js';

const REFUSED =
  'refused RunContainerError: \\"failed to create containerd task: exec: \\\\\\"kube-scheduler\\\\\\": executable file not found in $PATH\\""';

describe('what is said of a pod that does not come up', () => {
  it('is nothing while it may still come up', () => {
    expect(crashOf('kube-scheduler', '')).toBeNull();
    expect(crashOf('kube-scheduler', 'started 1\nE1123 error\n')).toBeNull();
    expect(crashOf('kube-scheduler', `${REFUSED}\n`)).toBeNull();
  });

  it('is the last line of a container that was started again and again', () => {
    expect(crashOf('kube-scheduler', 'started 2\nError: unknown flag: --no-such-flag\n')).toBe(
      'kube-scheduler keeps ending: Error: unknown flag: --no-such-flag',
    );
    expect(crashOf('etcd', 'started 3\n')).toBe('etcd keeps ending');
  });

  it('is what the kubelet says of a container that it can not start, without its quotes', () => {
    expect(crashOf('kube-scheduler', `started 2\n${REFUSED}\n${REFUSED}\n`)).toBe(
      'kube-scheduler can\'t be started: RunContainerError: failed to create containerd task: exec: "kube-scheduler": executable file not found in $PATH',
    );
  });
});

describe('what is said of a kubelet that does not come up', () => {
  it('is its last error, once it was started again twice', () => {
    expect(kubeletCrash('1\nError: unknown flag: --no-such-flag\n')).toBeNull();
    expect(kubeletCrash('')).toBeNull();
    expect(kubeletCrash('2\nError: unknown flag: --no-such-flag\n')).toBe(
      'the kubelet keeps ending: Error: unknown flag: --no-such-flag',
    );
    expect(kubeletCrash('5\n')).toBe('the kubelet keeps ending');
  });
});
