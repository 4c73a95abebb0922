import { describe, expect, it } from 'vitest';
import {
  readRecord,
  refuseUnderWay,
  removeRecord,
  stepAgain,
  writeRecord,
} from '../../../../src/workflows/upgrade/record.js';
import { rollbackUpgrade, wayBack } from '../../../../src/workflows/upgrade/rollback.js';
import { clusterOfThree, fakeSession } from '../fixture.js';

const STEP = {
  from: 'v1.36.1',
  to: 'v1.36.3',
  direction: 'upgrade',
  state: 'under-way',
  snapshot: '/s.db',
  bundle: null,
} as const;

describe('the record of an upgrade', () => {
  it('lies on every control plane, so that any of them can tell', async () => {
    const session = fakeSession(clusterOfThree());
    await writeRecord(session, STEP);
    session.fakes.get('cp1')?.files.clear();
    expect(await readRecord(session)).toMatchObject(STEP);
    await removeRecord(session);
    expect(await readRecord(session)).toBeNull();
  });

  it('keeps an apply from taking half of the hosts back', async () => {
    const session = fakeSession();
    await writeRecord(session, STEP);
    await expect(refuseUnderWay(session)).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('--to v1.36.3'),
    });
    await writeRecord(session, { ...STEP, state: 'done' });
    await expect(refuseUnderWay(session)).resolves.toBeUndefined();
  });

  it('still knows the way back where the version is asked for that is there', () => {
    const done = { ...STEP, formatVersion: 1, state: 'done', at: '2026-11-23T12:00:00Z' } as const;
    const there = { from: 'v1.36.3', to: 'v1.36.3' };
    expect(stepAgain(done, there)).toMatchObject({ from: 'v1.36.1', to: 'v1.36.3', state: 'under-way' });
    expect(stepAgain(null, there)).toBeNull();
    expect(stepAgain(done, { from: 'v1.36.1', to: 'v1.36.3' })).toBeNull();
    expect(stepAgain({ ...done, direction: 'rollback' }, there)).toBeNull();
  });
});

describe('wayBack', () => {
  it('leads from a done upgrade, and from one that stopped half-way, to the version before', async () => {
    const session = fakeSession();
    for (const state of ['done', 'under-way'] as const) {
      await writeRecord(session, { ...STEP, state });
      expect(await wayBack(session)).toMatchObject({ from: 'v1.36.3', to: 'v1.36.1', direction: 'rollback' });
    }
  });

  it('goes on with a rollback that was interrupted, and takes none back twice', async () => {
    const session = fakeSession();
    const back = { ...STEP, from: 'v1.36.3', to: 'v1.36.1', direction: 'rollback' } as const;
    await writeRecord(session, back);
    expect(await wayBack(session)).toMatchObject(back);
    await writeRecord(session, { ...back, state: 'done' });
    await expect(wayBack(session)).rejects.toThrow(/was taken back already/);
  });

  it('brings etcd back to its snapshot before anything else, once it has begun to', async () => {
    const session = fakeSession();
    const to = session.context.config.cluster.kubernetesVersion;
    const back = { ...STEP, from: 'v1.99.0', to, direction: 'rollback', restore: 'pending' } as const;
    await writeRecord(session, back);
    const options = {
      owner: 'ann@desk',
      snapshotDirectory: null,
      maxUnavailable: '1',
      drain: 'never' as const,
      drainSettings: { force: false, deleteEmptyDirData: false, timeoutMs: 1 },
      previousBundle: null,
    };
    await expect(rollbackUpgrade(session, options)).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('--restore-snapshot'),
    });
    expect(await readRecord(session)).toMatchObject(back);
  });

  it('says where there was no upgrade', async () => {
    await expect(wayBack(fakeSession())).rejects.toThrow(/no upgrade was made/);
  });
});
