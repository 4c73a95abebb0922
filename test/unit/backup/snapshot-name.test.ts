import { describe, expect, it } from 'vitest';
import { expiredSnapshots, parseSnapshotName, snapshotName } from '../../../src/backup/snapshot-name.js';

const AT = Date.UTC(2026, 10, 23, 14, 38, 6, 500);

describe('the name of a snapshot', () => {
  it('has cluster, time and revision, and says whether it is encrypted', () => {
    const name = { cluster: 'demo', at: AT, revision: 4711, encrypted: false };
    expect(snapshotName(name)).toBe('demo-20261123T143806Z-r4711.db');
    expect(snapshotName({ ...name, encrypted: true })).toBe('demo-20261123T143806Z-r4711.db.age');
  });

  it('is read back, also where the cluster’s own name has dashes', () => {
    const file = 'a-b-20261123T143806Z-r4711.db.age';
    const at = Date.UTC(2026, 10, 23, 14, 38, 6);
    expect(parseSnapshotName(file)).toEqual({ file, cluster: 'a-b', at, revision: 4711, encrypted: true });
    expect(parseSnapshotName('before-the-upgrade.db')).toBeNull();
  });
});

describe('retention', () => {
  const files = [
    'demo-20261121T000000Z-r1.db',
    'demo-20261123T000000Z-r3.db.age',
    'demo-20261122T000000Z-r2.db',
    'demo-two-20261101T000000Z-r1.db',
    'other-20261101T000000Z-r1.db',
    'notes.txt',
    'demo.db',
  ];

  it('lets the newest stay and removes nothing that is another cluster’s or nobody’s', () => {
    expect(expiredSnapshots(files, 'demo', 2)).toEqual(['demo-20261121T000000Z-r1.db']);
    expect(expiredSnapshots(files, 'demo', 1)).toEqual([
      'demo-20261122T000000Z-r2.db',
      'demo-20261121T000000Z-r1.db',
    ]);
    expect(expiredSnapshots(files, 'demo', 9)).toEqual([]);
  });
});
