import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkedSnapshot, checkSnapshotFile } from '../../../src/backup/snapshot-file.js';
import { collect, fileOf, pieces, snapshotBytes } from './fixtures.js';

const flipped = (at: number) => {
  const bytes = snapshotBytes();
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
};

describe('the digest of a snapshot', () => {
  it('fits a file that etcdctl wrote', async () => {
    const digest = await checkSnapshotFile(await fileOf(snapshotBytes()));
    expect(digest).toEqual({
      size: 20_512,
      sha256: snapshotBytes().subarray(-32).toString('hex'),
      fileSha256: createHash('sha256').update(snapshotBytes()).digest('hex'),
    });
  });

  it.each([
    ['in the middle', 9000],
    ['in the first byte', 0],
    ['in the digest itself', 20_511],
  ])('refuses a bit flipped %s', async (_, at) => {
    await expect(checkSnapshotFile(await fileOf(flipped(at)))).rejects.toMatchObject({
      code: 'VERIFY',
      message: expect.stringContaining('digest does not fit'),
    });
  });

  it.each([1, 31, 32, 33, 4096, 20_512])('passes every byte on, whatever the pieces (%i)', async (size) => {
    expect((await collect(checkedSnapshot(pieces(snapshotBytes(), size), 'x'))).equals(snapshotBytes())).toBe(
      true,
    );
  });

  it('refuses a snapshot that was cut off, also where what is left has the right shape', async () => {
    const short = snapshotBytes().subarray(0, 19_000);
    await expect(checkSnapshotFile(await fileOf(short))).rejects.toMatchObject({ code: 'VERIFY' });
    const whole = collect(checkedSnapshot(pieces(snapshotBytes()), 'of cp1', 30_000));
    await expect(whole).rejects.toThrow('the snapshot of cp1 is damaged: it has 20512 of 30000 bytes');
  });

  it('tells a database out of a data directory from a snapshot', async () => {
    const database = snapshotBytes().subarray(0, 20_480);
    await expect(checkSnapshotFile(await fileOf(database))).rejects.toThrow('has no digest at its end');
  });

  it('says which file can’t be read', async () => {
    await expect(checkSnapshotFile('/nowhere/x.db')).rejects.toMatchObject({
      code: 'USAGE',
      message: "/nowhere/x.db can't be read",
    });
  });
});
