import { describe, expect, it } from 'vitest';
import type { TaskPlan } from '../../../src/engine/types.js';
import { planText } from '../../../src/report/plan-text.js';

const text = (...tasks: TaskPlan[]) =>
  planText({ formatVersion: 1, cluster: 'demo', configDigest: 'x', tasks }, { diffs: false }).split('\n');

describe('planText', () => {
  it('says why something is awaited, one line a reason', () => {
    const lines = text({
      phase: 'wait-ready',
      host: '',
      standing: 'missing',
      reasons: ['cp3 is not Ready: Kubelet stopped posting node status.', 'coredns: 1 of 2\nmore'],
      changes: [{ kind: 'action', name: 'wait', summary: 'wait until nodes and add-ons are ready' }],
    });
    expect(lines.slice(0, 5)).toEqual([
      'cluster',
      '  wait-ready: missing',
      '    cp3 is not Ready: Kubelet stopped posting node status.',
      '    coredns: 1 of 2',
      '    ! wait until nodes and add-ons are ready',
    ]);
  });

  it('says nothing twice', () => {
    const summary = 'start the kubelet';
    const lines = text({
      phase: 'kubelet/start',
      host: 'w1',
      standing: 'missing',
      reasons: [summary],
      changes: [{ kind: 'action', name: 'start', summary }],
    });
    expect(lines.slice(0, 3)).toEqual(['host w1', '  kubelet/start: missing', '    ! start the kubelet']);
  });

  it('marks what stands in the way', () => {
    const task = {
      phase: 'nodes/drain',
      host: '',
      standing: 'blocked',
      reasons: ['a bare pod'],
      changes: [],
    } as const;
    expect(text({ ...task, reasons: [...task.reasons], changes: [] })).toContain('    ✖ a bare pod');
  });
});
