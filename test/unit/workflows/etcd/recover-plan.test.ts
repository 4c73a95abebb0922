import { describe, expect, it } from 'vitest';
import { choose, type Remains } from '../../../../src/workflows/etcd/recover-plan.js';

const member = (host: string, more: Partial<Remains> = {}): Remains => ({
  host,
  name: host,
  state: 'running',
  revision: 100,
  hash: 1,
  raftTerm: 2,
  raftIndex: 200,
  dbBytes: 1,
  problem: null,
  ...more,
});

describe('the member that a recovery goes on with', () => {
  it('has the highest revision, running or not', () => {
    const remains = [
      member('cp1', { raftTerm: 9 }),
      member('cp2', { state: 'stopped', revision: 101, raftTerm: null, raftIndex: null }),
    ];
    expect(choose(remains).host).toBe('cp2');
  });

  it('of equal revisions knows more to be agreed upon, else comes first in the file', () => {
    expect(choose([member('cp1'), member('cp2', { raftIndex: 201 })]).host).toBe('cp2');
    expect(choose([member('cp1'), member('cp2')]).host).toBe('cp1');
  });

  it('is the one that was asked for, if it has anything', () => {
    const remains = [member('cp1', { revision: 5 }), member('cp2'), member('cp3', { revision: null })];
    expect(choose(remains, 'cp1').host).toBe('cp1');
    expect(() => choose(remains, 'cp3')).toThrow('cp3 has no data of etcd to go on with');
  });

  it('is none where nobody has anything', () => {
    const remains = [member('cp1', { state: 'unreachable', revision: null })];
    expect(() => choose(remains)).toThrow('no member that can be reached has any data');
  });
});
