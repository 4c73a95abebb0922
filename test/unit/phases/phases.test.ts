import { describe, expect, it } from 'vitest';
import { dependencies } from '../../../src/engine/graph.js';
import { targetsOf } from '../../../src/engine/phase.js';
import { APPLY_PHASES } from '../../../src/phases/phases.js';

const INVENTORY = [
  { name: 'cp1', role: 'control-plane' },
  { name: 'cp2', role: 'control-plane' },
  { name: 'cp3', role: 'control-plane' },
  { name: 'w1', role: 'worker' },
  { name: 'etcd1', role: 'etcd' },
  { name: 'etcd2', role: 'etcd' },
] as const;

const TASKS = APPLY_PHASES.flatMap((phase) =>
  targetsOf(phase, { inventory: INVENTORY }).map((host) => ({
    phase: phase.name,
    host,
    standing: 'satisfied' as const,
    reasons: [],
    changes: [],
  })),
);

describe('the phases of an apply', () => {
  it('depend on each other without a cycle, also with several control planes', () => {
    const graph = dependencies(APPLY_PHASES, TASKS);
    const of = (phase: string, host: string) => {
      const task = TASKS.find((candidate) => candidate.phase === phase && candidate.host === host);
      return (task === undefined ? [] : (graph.get(task) ?? [])).map(
        (found) => `${found.phase} ${found.host}`,
      );
    };
    expect(of('wait-control-plane', '')).toEqual(['kubelet-start cp1']);
    expect(of('etcd/wait', '')).toEqual(['etcd/member etcd1', 'etcd/member etcd2']);
    expect(of('control-plane/apiserver', 'cp1')).toContain('etcd/wait ');
    expect(of('etcd/member', 'etcd2')).toContain('kubelet/etcd etcd2');
    expect(of('control-plane/apiserver', 'cp2')).toContain('etcd/join cp2');
    expect(of('etcd/join', 'cp3')).toContain('etcd/join cp2');
    expect(of('join/worker', 'w1')).not.toContain('images/worker w2');
  });

  it('have names that no other phase has, and summaries', () => {
    const names = APPLY_PHASES.map((phase) => phase.name);
    expect(new Set(names).size).toBe(names.length);
    for (const phase of APPLY_PHASES) expect(phase.summary).not.toBe('');
  });

  it('need only what some phase provides', () => {
    const provided = new Set(
      APPLY_PHASES.flatMap((phase) => phase.provides.map((artefact) => artefact.name)),
    );
    for (const phase of APPLY_PHASES) {
      for (const need of phase.needs)
        expect(provided, `${phase.name} needs ${need.name}`).toContain(need.name);
    }
  });
});
