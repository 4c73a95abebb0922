import { describe, expect, it } from 'vitest';
import { defragOrder } from '../../../../src/workflows/etcd/defrag.js';
import type { EtcdMemberReport } from '../../../../src/workflows/etcd-problems.js';

describe('the order of a defragmentation', () => {
  it('has the leader last', () => {
    const members = ['cp1', 'cp2', 'cp3'].map((name) => ({
      name,
      isLeader: name === 'cp1',
    })) as EtcdMemberReport[];
    expect(defragOrder(members).map(({ name }) => name)).toEqual(['cp2', 'cp3', 'cp1']);
  });
});
