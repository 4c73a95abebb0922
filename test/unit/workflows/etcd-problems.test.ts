import { describe, expect, it } from 'vitest';
import { type EtcdMemberReport, problemsOf } from '../../../src/workflows/etcd-problems.js';

const member = (name: string, more: Partial<EtcdMemberReport> = {}): EtcdMemberReport => ({
  name,
  id: name,
  host: name,
  isLearner: false,
  isLeader: false,
  peerURLs: [`https://${name}:2380`],
  clientURLs: [`https://${name}:2379`],
  version: '3.6.8',
  dbSizeBytes: 1000,
  dbSizeInUseBytes: 500,
  dbQuotaBytes: 10_000,
  revision: 1,
  raftTerm: 1,
  raftIndex: 1,
  raftAppliedIndex: 1,
  latencyMs: 1,
  alarms: [],
  errors: [],
  ...more,
});
const leader = member('cp1', { isLeader: true });
const silent = { latencyMs: null, errors: ['etcd does not answer: refused'] };

describe('problems of etcd', () => {
  it('are none where all members of the file answer and one leads', () => {
    expect(problemsOf([leader, member('cp2'), member('cp3')], ['cp1', 'cp2', 'cp3'])).toEqual([]);
  });

  it.each<[string, EtcdMemberReport, string]>([
    [
      'a member that does not answer',
      member('cp2', silent),
      'cp2 does not answer: etcd does not answer: refused',
    ],
    ['a learner', member('cp2', { isLearner: true }), 'cp2 is a learner and does not vote'],
    ['an alarm', member('cp2', { alarms: ['NOSPACE'] }), 'cp2 raised the alarm NOSPACE'],
    [
      'a database near its quota',
      member('cp2', { dbSizeBytes: 8500 }),
      'cp2: its database has 85 % of its quota',
    ],
    ['what a member reports itself', member('cp2', { errors: ['slow'] }), 'cp2: slow'],
    [
      'a member that never started',
      member('cp2', { name: '', ...silent }),
      'the member at https://cp2:2380 was added and has never started',
    ],
  ])('name %s', (_, second, problem) => {
    expect(problemsOf([leader, second], ['cp1', 'cp2'])).toEqual([problem]);
  });

  it('name a missing leader and how many members answer', () => {
    expect(problemsOf([member('cp1'), member('cp2', silent)], ['cp1', 'cp2'])[0]).toBe(
      'etcd has no leader: 1 of 2 voting members answer',
    );
  });

  it('name members and control planes that lack each other', () => {
    expect(problemsOf([leader, member('old', { host: null })], ['cp1', 'cp2'])).toEqual([
      'old belongs to no control plane of the cluster file',
      'cp2 has no etcd member',
    ]);
  });
});
