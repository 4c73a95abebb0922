import { describe, expect, it } from 'vitest';
import { crashOf, kubeletCrash, lookOf } from '../../../../src/workflows/upgrade/crashes.js';

const REFUSED =
  'refused RunContainerError: \\"failed to create containerd task: exec: \\\\\\"kube-scheduler\\\\\\": executable file not found in $PATH\\""';

/** A look at a pod whose directories have these newest containers. */
const look = (containers: Record<string, number>, ...more: string[]) =>
  lookOf(
    [
      'at 1000',
      ...Object.entries(containers).map(([directory, count]) => `container ${count} ${directory}`),
      ...more,
    ].join('\n'),
  );

const REFUSALS = [REFUSED, REFUSED];

describe('what is said of a pod that does not come up', () => {
  it('is nothing while it may still come up', () => {
    expect(crashOf('kube-scheduler', lookOf(''), lookOf(''))).toBeNull();
    expect(crashOf('kube-scheduler', look({}), look({ a: 1 }, 'error E1123 error'))).toBeNull();
    expect(crashOf('kube-scheduler', look({}), look({}, REFUSED))).toBeNull();
  });

  it('is nothing of what it went through before, under this manifest or another', () => {
    expect(crashOf('etcd', look({ a: 7, b: 3 }), look({ a: 7, b: 3 }))).toBeNull();
    expect(crashOf('etcd', look({ a: 7, b: 3 }), look({ a: 8, b: 3 }))).toBeNull();
    expect(crashOf('etcd', look({ a: 7, b: 3 }), look({ a: 8, b: 5, c: 1 }))).toBeNull();
    expect(crashOf('etcd', look({ a: 7, b: 3 }), look({ a: 7, b: 6 }))).toBe('etcd keeps ending');
  });

  it('is the last line of a container that was started again and again', () => {
    const now = look({ a: 2 }, 'error Error: unknown flag: --no-such-flag');
    expect(crashOf('kube-scheduler', look({}), now)).toBe(
      'kube-scheduler keeps ending: Error: unknown flag: --no-such-flag',
    );
    expect(crashOf('etcd', look({}), look({ a: 3 }, 'error '))).toBe('etcd keeps ending');
  });

  it('is what the kubelet says of a container that it can not start, without its quotes', () => {
    expect(crashOf('kube-scheduler', look({}), look({ a: 2 }, ...REFUSALS))).toBe(
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
