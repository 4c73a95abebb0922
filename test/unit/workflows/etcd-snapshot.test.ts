import { describe, expect, it } from 'vitest';
import type { EtcdMemberReport } from '../../../src/workflows/etcd-problems.js';
import { snapshotSource } from '../../../src/workflows/etcd-snapshot.js';

const member = (name: string, more: Partial<EtcdMemberReport> = {}): EtcdMemberReport => ({
  name,
  id: name,
  host: name,
  isLearner: false,
  isLeader: false,
  peerURLs: [],
  clientURLs: [],
  version: '3.6.8',
  dbSizeBytes: 1,
  dbSizeInUseBytes: 1,
  dbQuotaBytes: 1,
  revision: 10,
  raftTerm: 1,
  raftIndex: 1,
  raftAppliedIndex: 1,
  latencyMs: 1,
  alarms: [],
  errors: [],
  ...more,
});

describe('the member that a snapshot is taken of', () => {
  it('is the leader', () => {
    const members = [member('cp1', { revision: 11 }), member('cp2', { isLeader: true })];
    expect(snapshotSource(members).name).toBe('cp2');
  });

  it('is without a leader the one that knows most; learners and those that do not answer are none', () => {
    const members = [
      member('cp1', { revision: 9 }),
      member('cp2', { revision: 10 }),
      member('cp3', { revision: 12, isLearner: true }),
      member('cp4', { revision: null, latencyMs: null }),
    ];
    expect(snapshotSource(members).name).toBe('cp2');
  });

  it('is none where nobody answers', () => {
    expect(() => snapshotSource([member('cp1', { latencyMs: null })])).toThrow(
      'no voting etcd member answers',
    );
  });
});
