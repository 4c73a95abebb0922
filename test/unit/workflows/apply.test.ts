import { describe, expect, it } from 'vitest';
import { defineHostPhase, type KeelsonPhase } from '../../../src/phases/context.js';
import { applyCluster } from '../../../src/workflows/apply.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { makePlan } from '../../../src/workflows/plan.js';
import { fakeSession } from './fixture.js';

const CERTS = phasesNamed('certs');
const common = { phases: CERTS, owner: 'me', preflight: false };

const blocked: KeelsonPhase = defineHostPhase({
  name: 'blocked',
  summary: '',
  target: 'workers',
  needs: [],
  provides: [],
  observe: () => ({}),
  plan: () => ({ standing: 'blocked', reasons: ['do something first'], changes: [] }),
});

describe('applyCluster', () => {
  it('does what the plan says, and nothing the second time', async () => {
    const session = fakeSession();
    const first = await applyCluster(session, common);
    expect(first.changed).toBeGreaterThan(10);
    expect(await applyCluster(session, common)).toMatchObject({ changed: 0 });
    expect(session.fakes.get('cp1')?.files.get('/etc/kubernetes/pki/ca.key')).toMatchObject({ mode: 0o600 });
  });

  it('applies a saved plan, and refuses it once reality has moved', async () => {
    const session = fakeSession();
    const saved = await makePlan(session, { phases: CERTS });
    expect((await applyCluster(session, { ...common, saved })).changed).toBeGreaterThan(10);
    await expect(applyCluster(session, { ...common, saved })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('reality has moved'),
    });
  });

  it('refuses a plan of another file or format', async () => {
    const session = fakeSession();
    const saved = await makePlan(session, { phases: CERTS });
    await expect(
      applyCluster(session, { ...common, saved: { ...saved, configDigest: 'other' } }),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
    const newer = { ...saved, formatVersion: 2 } as unknown as typeof saved;
    await expect(applyCluster(session, { ...common, saved: newer })).rejects.toMatchObject({ code: 'USAGE' });
    expect(session.fakes.get('cp1')?.files.size).toBe(0);
  });

  it('changes nothing where anything is blocked, and says what to do', async () => {
    const session = fakeSession();
    await expect(applyCluster(session, { ...common, phases: [...CERTS, blocked] })).rejects.toMatchObject({
      code: 'PREFLIGHT',
      message: expect.stringContaining('w1: blocked: do something first'),
    });
    expect(session.fakes.get('cp1')?.files.size).toBe(0);
  });

  it('takes the lock before it looks and gives it back after a failure too', async () => {
    const session = fakeSession();
    await applyCluster(session, { ...common, phases: [blocked] }).catch(() => {});
    const calls = session.fakes.get('cp1')?.calls.filter(({ what }) => what !== '');
    const scripts = calls?.map(({ what }) => what.split(' ')[0]);
    expect(scripts?.at(0)).toBe('<lock/acquire>');
    expect(scripts?.at(-1)).toBe('<lock/release>');
  });

  it('names the holder where the cluster is locked', async () => {
    const session = fakeSession();
    session.fakes.get('cp1')?.on(/^<lock\/acquire>/, { code: 75, stdout: 'id|ann@desk (apply)|1|42' });
    await expect(applyCluster(session, common)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('ann@desk (apply), for another 42 s'),
    });
  });

  it('tells the beginning and the end', async () => {
    const session = fakeSession();
    const { changed } = await applyCluster(session, { ...common, run: 'phase certs' });
    expect(session.events.find(({ type }) => type === 'run-started')).toMatchObject({ run: 'phase certs' });
    expect(session.events.at(-1)).toMatchObject({ type: 'run-finished', ok: true, changed });
  });
});
