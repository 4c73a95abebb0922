import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/engine/events.js';
import type { ClusterPhase, EngineContext, Verdict } from '../../../src/engine/phase.js';
import { settle } from '../../../src/engine/settle.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { contextOf } from './support.js';

const WAIT: Verdict = {
  standing: 'missing',
  reasons: ['not yet'],
  changes: [{ kind: 'action', name: 'wait', summary: 'wait' }],
};

function phase(
  name: string,
  log: string[],
  more: Partial<ClusterPhase<EngineContext>> & { holds?: boolean } = {},
): ClusterPhase<EngineContext> {
  const { holds = false, ...rest } = more;
  return {
    name,
    summary: name,
    target: 'cluster',
    awaits: true,
    needs: [],
    provides: [],
    check: async () => (holds ? { standing: 'satisfied', reasons: [], changes: [] } : WAIT),
    actions: { wait: async () => void log.push(name) },
    ...rest,
  };
}

async function settled(phases: readonly ClusterPhase<EngineContext>[], stop = new AbortController()) {
  const events: EngineEvent[] = [];
  const emit = (event: EngineEvent) => void events.push(event);
  const done = await settle({ phases, context: contextOf(), emit, stop: stop.signal }).catch(
    (error: unknown) => error,
  );
  return { done, events: events.map(({ type }) => type) };
}

describe('settle', () => {
  it('awaits, in order, what does not hold any more, and nothing else', async () => {
    const log: string[] = [];
    const { events } = await settled([
      phase('api', log),
      phase('holds', log, { holds: true }),
      { ...phase('changes', log), awaits: undefined as never },
      phase('other cluster', log, { runIf: () => false }),
      phase('ready', log),
    ]);
    expect(log).toEqual(['api', 'ready']);
    const one = ['task-started', 'change-started', 'change-finished', 'task-finished'];
    expect(events).toEqual([...one, ...one]);
  });

  it('ends with what never came, and says of which phase it was', async () => {
    const wait = async () => {
      throw new KeelsonError('DEADLINE', 'timed out');
    };
    const log: string[] = [];
    const { done, events } = await settled([phase('api', log, { actions: { wait } }), phase('ready', log)]);
    expect(done).toMatchObject({ code: 'DEADLINE', phase: 'api' });
    expect(events.at(-1)).toBe('task-failed');
    expect(log).toEqual([]);
  });

  it('awaits nothing once it was asked to stop', async () => {
    const stop = new AbortController();
    stop.abort();
    const log: string[] = [];
    await settled([phase('api', log)], stop);
    expect(log).toEqual([]);
  });
});
