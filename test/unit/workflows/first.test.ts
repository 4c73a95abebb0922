import { describe, expect, it } from 'vitest';
import { chooseFirst, type Progress, progressOf } from '../../../src/workflows/first.js';
import { createFakeHost, type FakeHost } from '../../fakes/fake-host.js';
import { clusterOfThree } from './fixture.js';

const config = clusterOfThree();
const choice = (cp1: Progress | null, cp2: Progress | null) => {
  const known: [string, Progress | null][] = [
    ['cp1', cp1],
    ['cp2', cp2],
  ];
  const progress = new Map(
    known.flatMap(([name, state]) => (state === null ? [] : [[name, state] as const])),
  );
  const { first, established, serving } = chooseFirst(config, progress);
  return `${first.name}${established ? ' established' : ''}${serving ? ' serving' : ''}`;
};

describe('the control plane that a run goes through', () => {
  it('is the first one of the file where there is no cluster yet, or all are as far', () => {
    expect(choice('pristine', 'pristine')).toBe('cp1');
    expect(choice('begun', 'begun')).toBe('cp1');
    expect(choice('initialised', 'initialised')).toBe('cp1 established');
    expect(choice('serving', 'serving')).toBe('cp1 established serving');
  });

  it('is one that lives in the cluster where the first one of the file does not, which then joins', () => {
    expect(choice('pristine', 'serving')).toBe('cp2 established serving');
    expect(choice('begun', 'initialised')).toBe('cp2 established');
    expect(choice('initialised', 'serving')).toBe('cp2 established serving');
  });

  it('is one that can be reached', () => {
    expect(choice(null, 'serving')).toBe('cp2 established serving');
    expect(() => choice(null, null)).toThrow(expect.objectContaining({ code: 'BUG' }));
  });
});

describe('how far a control plane has come', () => {
  const put = (host: FakeHost, path: string) =>
    void host.files.set(path, { content: Buffer.from('x'), mode: 0o600, owner: 'root:root', type: 'file' });

  it('is told by its files, in one round trip', async () => {
    const cp1 = createFakeHost({ name: 'cp1' });
    const cp2 = createFakeHost({ name: 'cp2' });
    put(cp1, '/etc/kubernetes/pki/ca.key');
    put(cp2, '/var/lib/etcd/member');
    const hosts = new Map([
      ['cp1', cp1],
      ['cp2', cp2],
    ]);
    const progress = await progressOf(config, hosts, new AbortController().signal);
    expect([...progress]).toEqual([
      ['cp1', 'begun'],
      ['cp2', 'initialised'],
    ]);
    expect(cp1.calls).toHaveLength(1);
  });

  it('is not asked of workers', async () => {
    const hosts = new Map([['w1', createFakeHost({ name: 'w1' })]]);
    expect(await progressOf(config, hosts, new AbortController().signal)).toEqual(new Map());
  });
});
