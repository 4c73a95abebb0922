import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/engine/events.js';
import { hostJournal, type Journal } from '../../../src/engine/journal.js';
import type { Artefact, EngineContext, Phase } from '../../../src/engine/phase.js';
import { planTasks } from '../../../src/engine/planner.js';
import { type RunOptions, runTasks } from '../../../src/engine/runner.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { contextOf, fakeHosts, filePhase, gate, settle, stepPhase } from './support.js';

const SILENT: Journal = { begin: async () => {}, finish: async () => {} };
const onHost = (name: string): Artefact => ({ name, scope: 'host' });
const inCluster = (name: string): Artefact => ({ name, scope: 'cluster' });

/** Plans and runs; `log` is what phases write, `events` what is told. */
async function start(phases: readonly Phase<EngineContext>[], more: Partial<RunOptions<EngineContext>> = {}) {
  const hosts = fakeHosts();
  const context = contextOf();
  const events: EngineEvent[] = [];
  const emit = (event: EngineEvent) => void events.push(event);
  const tasks = await planTasks({ phases, context, readers: hosts, emit });
  const result = runTasks({
    phases,
    tasks,
    context,
    readers: hosts,
    effects: {
      host: (name) => hosts.get(name) ?? fail(name),
      secret: async (artefact) => fail(artefact),
      blobPath: fail,
      importImages: async () => {},
      applyObjects: async () => {},
    },
    journal: SILENT,
    emit,
    concurrency: 8,
    stop: new AbortController().signal,
    ...more,
  });
  // A failure is looked at by the test, later.
  result.catch(() => {});
  return { hosts, events, result };
}

function fail(what: string): never {
  throw new Error(`nobody expected ${what}`);
}

describe('runTasks', () => {
  it('makes the changes and counts them', async () => {
    const { hosts, result } = await start([filePhase('a', '/a', 'text')]);
    expect(await result).toBe(3);
    expect(hosts.get('w1')?.files.get('/a')?.content.toString()).toBe('text');
  });

  it('does nothing where everything stands', async () => {
    const phase = stepPhase('a', () => {});
    const { result } = await start([phase]);
    await result;
    expect(await (await start([phase])).result).toBe(0);
  });

  it('begins a task when the artefacts that it needs exist on its host, and not before', async () => {
    const log: string[] = [];
    const door = gate();
    const a = stepPhase('a', (host) => (host === 'w1' ? door.passed : undefined), {
      provides: [onHost('x')],
    });
    const b = stepPhase('b', (host) => void log.push(host), { needs: [onHost('x')] });
    const { result } = await start([a, b]);
    await settle();
    expect(log).toEqual(['cp1', 'cp2']);
    door.open();
    await result;
    expect(log).toEqual(['cp1', 'cp2', 'w1']);
  });

  it('provisions workers while the first control plane starts, and joins them after', async () => {
    const log: string[] = [];
    const door = gate();
    const note = (phase: string) => (host: string) => void log.push(`${phase}@${host}`);
    const phases = [
      stepPhase('start', () => door.passed, { target: 'first-control-plane', provides: [inCluster('api')] }),
      stepPhase('provision', note('provision'), { target: 'workers', provides: [onHost('runtime')] }),
      stepPhase('join', note('join'), { target: 'workers', needs: [inCluster('api'), onHost('runtime')] }),
    ];
    const { result } = await start(phases);
    await settle();
    expect(log).toEqual(['provision@w1']);
    door.open();
    await result;
    expect(log).toEqual(['provision@w1', 'join@w1']);
  });

  it('takes what nobody in the run provides as given', async () => {
    const { result } = await start([stepPhase('b', () => {}, { needs: [onHost('x')] })]);
    expect(await result).toBe(3);
  });

  it('goes host by host in the order of the inventory where a phase is serial', async () => {
    const log: string[] = [];
    const phase = stepPhase(
      'a',
      async (host) => {
        log.push(`begin ${host}`);
        await settle();
        log.push(`end ${host}`);
      },
      { serial: true },
    );
    await (await start([phase])).result;
    expect(log).toEqual(['begin cp1', 'end cp1', 'begin cp2', 'end cp2', 'begin w1', 'end w1']);
  });

  it('has no more tasks under way than it may', async () => {
    let now = 0;
    let most = 0;
    const phase = stepPhase('a', async () => {
      now += 1;
      most = Math.max(most, now);
      await settle();
      now -= 1;
    });
    await (await start([phase], { concurrency: 2 })).result;
    expect(most).toBe(2);
  });

  it('skips what depends on a failure, goes on with the rest, and names host and phase', async () => {
    const log: string[] = [];
    const a = stepPhase(
      'a',
      (host) => {
        if (host === 'cp1') throw new KeelsonError('REMOTE_COMMAND', 'disk full');
      },
      { provides: [onHost('x')] },
    );
    const b = stepPhase('b', (host) => void log.push(host), { needs: [onHost('x')] });
    const { events, result } = await start([a, b]);
    await expect(result).rejects.toMatchObject({ code: 'REMOTE_COMMAND', host: 'cp1', phase: 'a' });
    expect(log).toEqual(['cp2', 'w1']);
    expect(events).toContainEqual({
      type: 'task-skipped',
      phase: 'b',
      host: 'cp1',
      reason: 'something it needs failed',
    });
  });

  it('goes on after a failure of what it only waits for, but not before', async () => {
    const log: string[] = [];
    const door = gate();
    const a = stepPhase(
      'a',
      async (host) => {
        if (host !== 'w1') return;
        await door.passed;
        throw new KeelsonError('REMOTE_COMMAND', 'no network');
      },
      { provides: [inCluster('network')] },
    );
    const b = stepPhase('b', (host) => void log.push(host), {
      target: 'first-control-plane',
      after: [inCluster('network')],
    });
    const { result } = await start([a, b]);
    await settle();
    expect(log).toEqual([]);
    door.open();
    await expect(result).rejects.toMatchObject({ host: 'w1', phase: 'a' });
    expect(log).toEqual(['cp1']);
  });

  it('says HOSTS_FAILED where hosts failed differently, and keeps the code where they failed alike', async () => {
    const failing = (codes: Record<string, 'DEADLINE' | 'REMOTE_COMMAND'>) =>
      stepPhase('a', (host) => {
        const code = codes[host];
        if (code !== undefined) throw new KeelsonError(code, 'no');
      });
    const differently = await start([failing({ cp1: 'DEADLINE', w1: 'REMOTE_COMMAND' })]);
    await expect(differently.result).rejects.toMatchObject({ code: 'HOSTS_FAILED' });
    const alike = await start([failing({ cp1: 'DEADLINE', w1: 'DEADLINE' })]);
    await expect(alike.result).rejects.toMatchObject({
      code: 'DEADLINE',
      message: /cp1: a: no\n.*w1: a: no/,
    });
  });

  it('is a CONFLICT where a host still drifts after its changes', async () => {
    const phase = filePhase('a', '/a', 'ours', { target: 'workers' });
    const { hosts, result } = await start([phase], {
      journal: {
        ...SILENT,
        // Somebody else writes the file whenever it was put.
        begin: async () => {
          const host = hosts.get('w1');
          const put = host?.files.set.bind(host.files);
          if (host !== undefined && put !== undefined)
            host.files.set = (path, file) => put(path, { ...file, content: Buffer.from('theirs') });
        },
      },
    });
    await expect(result).rejects.toMatchObject({
      code: 'CONFLICT',
      host: 'w1',
      phase: 'a',
      details: ['/a differs'],
    });
  });

  it('does what disrupts on one host at a time, across phases, and all else at once', async () => {
    let stopped = 0;
    let most = 0;
    const stopping = async () => {
      stopped += 1;
      most = Math.max(most, stopped);
      await settle();
      stopped -= 1;
    };
    const rolling = { rolling: true, disrupts: true };
    const phases = [stepPhase('a', stopping, rolling), stepPhase('b', stopping, rolling)];
    await (await start(phases)).result;
    expect(most).toBe(1);
    await (await start([stepPhase('c', stopping, { rolling: true })])).result;
    expect(most).toBe(3);
  });

  it('leaves the other hosts alone once something that disrupts has failed on one', async () => {
    const log: string[] = [];
    const phase = stepPhase(
      'a',
      (host) => {
        log.push(host);
        throw new KeelsonError('DEADLINE', 'does not come back');
      },
      { rolling: true, disrupts: true },
    );
    const { result, events } = await start([phase]);
    await expect(result).rejects.toMatchObject({ code: 'DEADLINE', host: 'cp1' });
    expect(log).toEqual(['cp1']);
    const skipped = events.filter((event) => event.type === 'task-skipped').map(({ host }) => host);
    expect(skipped).toEqual(['cp2', 'w1']);
  });

  it('stops softly between two changes, and says what is left', async () => {
    const log: string[] = [];
    const stop = new AbortController();
    const phases = [
      stepPhase(
        'a',
        (_host, step) => {
          log.push(step);
          stop.abort();
        },
        { target: 'workers', steps: ['one', 'two'], provides: [onHost('x')] },
      ),
      stepPhase('b', () => void log.push('b'), { target: 'workers', needs: [onHost('x')] }),
    ];
    const { result } = await start(phases, { stop: stop.signal });
    await expect(result).rejects.toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('a on w1, b on w1'),
    });
    expect(log).toEqual(['one']);
  });

  it('goes on where the journal of a host that was lost can’t be written to any more', async () => {
    const lost = new KeelsonError('CONNECTION', 'the SSH connection was lost', { host: 'w1' });
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const held = gate();
    const phases = [filePhase('a', '/a', 'text'), stepPhase('held', () => held.passed)];
    const journal: Journal = { ...SILENT, finish: () => Promise.reject(lost) };
    const { result } = await start(phases, { journal });
    await settle();
    held.open();
    expect(await result).toBeGreaterThan(0);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('writes to the journal what began and what was finished, without content', async () => {
    const hosts = fakeHosts();
    const journal = hostJournal({
      run: 'apply',
      host: (name) => hosts.get(name) ?? fail(name),
      fallback: 'cp1',
      now: () => 0,
    });
    const phases = [
      filePhase('good', '/a', 'content', { target: 'workers' }),
      stepPhase('bad', () => fail('it'), { target: 'workers' }),
    ];
    await expect((await start(phases, { journal })).result).rejects.toMatchObject({ phase: 'bad' });
    const entries = (hosts.get('w1')?.calls ?? []).map(
      ({ what }) => JSON.parse(what.slice('<journal/append> '.length)) as Record<string, unknown>,
    );
    const at = '1970-01-01T00:00:00.000Z';
    const file = [{ file: '/a', op: 'create' }];
    expect(entries).toEqual(
      expect.arrayContaining([
        { at, run: 'apply', phase: 'good', state: 'begun', changes: file },
        { at, run: 'apply', phase: 'good', state: 'finished', changes: file },
        { at, run: 'apply', phase: 'bad', state: 'begun', changes: [{ action: 'do' }] },
      ]),
    );
    expect(entries).toHaveLength(3);
  });
});
