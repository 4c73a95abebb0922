import { describe, expect, it } from 'vitest';
import {
  begin,
  finish,
  mergeStates,
  newState,
  parseState,
  type RotationState,
  remaining,
  type Step,
  turnBack,
} from '../../../../src/workflows/rotate/state.js';

const fresh = (): RotationState =>
  newState({
    id: 'a1',
    what: 'cluster-ca',
    queued: [],
    restartWorkloads: 'rolling',
    since: '2026-01-01T00:00:00.000Z',
  });

const through = (...steps: Step[]): RotationState =>
  steps.reduce((state, step) => finish(begin(state, step), step, 1), fresh());

describe('the state of a rotation', () => {
  it('leaves the steps that are not done, in order', () => {
    expect(remaining(fresh())).toEqual(['trust', 'restart', 'issue', 'verify', 'drop']);
    expect(remaining(through('trust', 'restart'))).toEqual(['issue', 'verify', 'drop']);
    expect(remaining(begin(through('trust'), 'restart'))).toEqual(['restart', 'issue', 'verify', 'drop']);
    expect(remaining({ ...through('trust'), finished: true })).toEqual([]);
  });

  it('goes back over what some host may have begun, and nothing else', () => {
    expect(remaining(turnBack(fresh()))).toEqual([]);
    expect(remaining(turnBack(begin(fresh(), 'trust')))).toEqual(['distrust']);
    expect(remaining(turnBack(through('trust', 'restart')))).toEqual(['distrust']);
    expect(remaining(turnBack(begin(through('trust', 'restart'), 'issue')))).toEqual(['reissue', 'distrust']);
    expect(remaining(turnBack(through('trust', 'restart', 'issue', 'verify')))).toEqual([
      'reissue',
      'distrust',
    ]);
  });

  it('replaces pods with tokens of a new key only once tokens are signed with it, and again on the way back', () => {
    const sa = { ...fresh(), what: 'sa' } as const;
    expect(remaining(sa)).toEqual(['trust', 'issue', 'restart', 'verify', 'drop']);
    const restarted = begin(finish(begin(sa, 'trust'), 'trust', 1), 'issue');
    expect(remaining(turnBack(restarted))).toEqual(['reissue', 'distrust']);
    expect(remaining(turnBack(begin(restarted, 'restart')))).toEqual(['reissue', 'restart-back', 'distrust']);
  });

  it('writes everything anew on the way back, as soon as the new key may have written', () => {
    const key = { ...fresh(), what: 'encryption-key' } as const;
    expect(remaining(key)).toEqual(['trust', 'issue', 'rewrite', 'verify', 'drop']);
    expect(remaining(turnBack(begin(key, 'trust')))).toEqual(['distrust']);
    const issuing = begin(finish(begin(key, 'trust'), 'trust', 1), 'issue');
    expect(remaining(turnBack(issuing))).toEqual(['reissue', 'rewrite-back', 'distrust']);
  });

  it('can’t go back once a host may have dropped the old one', () => {
    const dropping = begin(through('trust', 'restart', 'issue', 'verify'), 'drop');
    expect(() => turnBack(dropping)).toThrow(/no way back/);
  });

  it('takes the step that only some control planes have ended for one that is not done', () => {
    const merged = mergeStates([through('trust'), begin(fresh(), 'trust')]);
    expect(merged).toMatchObject({ begun: ['trust'], done: [] });
  });

  it('takes a drop that one control plane was told of for begun', () => {
    const verified = through('trust', 'restart', 'issue', 'verify');
    const merged = mergeStates([begin(verified, 'drop'), verified]);
    expect(merged?.begun).toContain('drop');
  });

  it('is on its way back, and finished, as soon as one control plane says so', () => {
    const state = through('trust');
    expect(mergeStates([state, turnBack(state)])?.direction).toBe('back');
    expect(mergeStates([state, { ...state, finished: true }])?.finished).toBe(true);
  });

  it('is refused where control planes tell of different rotations', () => {
    expect(() => mergeStates([fresh(), { ...fresh(), id: 'b2' }])).toThrow(/different rotations/);
  });

  it('is the one that has begun where others only tell of one that has ended before', () => {
    const ended = { ...fresh(), finished: true };
    const next = { ...fresh(), id: 'b2', since: '2031-01-01T00:00:00.000Z' };
    expect(mergeStates([next, ended])?.id).toBe('b2');
    expect(mergeStates([ended, next])?.finished).toBe(false);
  });

  it('is refused where it can’t be read', () => {
    expect(parseState(JSON.stringify(fresh()), 'cp1')).toEqual(fresh());
    expect(() => parseState('{', 'cp1')).toThrow(/can’t be read/);
    expect(() => parseState(JSON.stringify({ ...fresh(), what: 'moon' }), 'cp1')).toThrow(/can’t be read/);
  });
});
