import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/engine/events.js';
import type { ClusterPhase, EngineContext, HostPhase, Phase } from '../../../src/engine/phase.js';
import { SATISFIED } from '../../../src/engine/phase.js';
import { type PlanOptions, planTasks } from '../../../src/engine/planner.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { contextOf, fakeHosts, filePhase } from './support.js';

function run(phases: readonly Phase<EngineContext>[], more: Partial<PlanOptions<EngineContext>> = {}) {
  const hosts = fakeHosts();
  const events: EngineEvent[] = [];
  const tasks = planTasks({
    phases,
    context: contextOf(),
    readers: hosts,
    emit: (event) => void events.push(event),
    ...more,
  });
  return { hosts, events, tasks };
}

const clusterPhase = (name: string): ClusterPhase<EngineContext> => ({
  name,
  summary: name,
  target: 'cluster',
  needs: [],
  provides: [],
  check: async () => SATISFIED,
});

describe('planTasks', () => {
  it('reads each host once, whatever the number of phases, and changes nothing', async () => {
    const { hosts, tasks } = run([
      filePhase('a', '/a', '1'),
      filePhase('b', '/b', '2'),
      filePhase('c', '/a', '1'),
    ]);
    expect(await tasks).toHaveLength(9);
    for (const host of hosts.values()) {
      expect(host.calls.map(({ kind, what }) => [kind, what])).toEqual([['read', '/a /b']]);
    }
  });

  it('orders tasks by phase, then by inventory, with a single one for the cluster', async () => {
    const { tasks } = run([
      filePhase('a', '/a', '1', { target: 'control-planes' }),
      clusterPhase('b'),
      filePhase('c', '/c', '1', { target: 'workers' }),
      filePhase('d', '/d', '1', { target: 'first-control-plane' }),
    ]);
    expect((await tasks).map(({ phase, host }) => `${phase}@${host}`)).toEqual([
      'a@cp1',
      'a@cp2',
      'b@',
      'c@w1',
      'd@cp1',
    ]);
  });

  it("shows a phase its own probes, also where another one's has the same name", async () => {
    const seen: string[] = [];
    const probing = (name: string): HostPhase<EngineContext> => ({
      ...filePhase(name, `/${name}`, ''),
      target: 'first-control-plane',
      observe: () => ({ probes: { state: name } }),
      plan: (_context, _host, result) => {
        seen.push(`${name}: ${[...result.probes].map(([key, { stdout }]) => `${key}=${stdout}`).join()}`);
        return SATISFIED;
      },
    });
    const hosts = fakeHosts();
    hosts.get('cp1')?.on(/^\?a\W+state$/, { stdout: 'of a' });
    hosts.get('cp1')?.on(/^\?b\W+state$/, { stdout: 'of b' });
    await run([probing('a'), probing('b')], { readers: hosts }).tasks;
    expect(seen).toEqual(['a: state=of a', 'b: state=of b']);
  });

  it('leaves out phases that are not of this cluster, without reading for them', async () => {
    const { hosts, tasks } = run([{ ...filePhase('a', '/a', '1'), runIf: () => false }]);
    expect(await tasks).toEqual([]);
    expect(hosts.get('cp1')?.calls).toEqual([]);
  });

  it('plans only for the hosts it is limited to, and still for the cluster', async () => {
    const { hosts, tasks } = run([filePhase('a', '/a', '1'), clusterPhase('b')], { limit: new Set(['w1']) });
    expect((await tasks).map(({ phase, host }) => `${phase}@${host}`)).toEqual(['a@w1', 'b@']);
    expect(hosts.get('cp1')?.calls).toEqual([]);
  });

  it('reads the background also of hosts outside of the limit', async () => {
    const observed: string[] = [];
    const { hosts, tasks } = run([filePhase('a', '/a', '1')], {
      limit: new Set(['w1']),
      background: new Map([['cp1', { files: ['/ca.crt'] }]]),
      onObserved: (seen) => void observed.push(...seen.keys()),
    });
    expect((await tasks).map(({ host }) => host)).toEqual(['w1']);
    expect(hosts.get('cp1')?.calls).toEqual([expect.objectContaining({ kind: 'read', what: '/ca.crt' })]);
    expect(observed.sort()).toEqual(['cp1', 'w1']);
  });

  it('names host and phase of a failure, and keeps its code', async () => {
    const failing: HostPhase<EngineContext> = {
      ...filePhase('certs/ca', '/a', '1'),
      plan: () => {
        throw new KeelsonError('PKI', 'no good');
      },
    };
    await expect(run([failing]).tasks).rejects.toMatchObject({ code: 'PKI', host: 'cp1', phase: 'certs/ca' });
  });

  it('tells of every task', async () => {
    const { events, tasks } = run([filePhase('a', '/a', '1', { target: 'workers' })]);
    await tasks;
    expect(events).toEqual([
      { type: 'task-planned', phase: 'a', host: 'w1', standing: 'missing', changes: 1 },
    ]);
  });
});
