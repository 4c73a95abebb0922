import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

/**
 * What `etcdctl snapshot save` of etcd 3.6.8 wrote of a member cp1: pods a (written twice) and b (deleted), secrets s1
 * and s2 (encrypted by aescbc), a namespace, a service with its endpoints, a widget, compact_rev_key; gzip, base64.
 */
const SNAPSHOT =
  'H4sICLdSBGsCA3NuYXAuZGIA7ZnPixtlGMfza3eTbHBni9ChFg2D7aFuM5mkTZoBoaJ4UTysVFhqDZPJk91xJzPpvG+muy39OzxUoQg9' +
  'VrxYEARvXgRPnvTgURD2KHgR+4z77PzYX4l4WcrzWd688828z/N93nknC+9MLrdPifq9X2p7hehA2deFXJZ/iAXSy9T7t3PfPvmr/nKO' +
  'YRiGYRiGYRiGYZgzR/5/7v+r1H+wuvrV58blP/mKMgzDMAzDMAzDMMzZoxD31fh5wGNs0f6+Tvobej7wDuk9bJXU+cV8Vr+GH0vYv016' +
  'Az+K9Egh0h/ns/nv0vhnpF/FolZS598s7Pv/jM1yrWA8azLWVG6dPCYfH0cF1bCVKWYdQkc4vken8/9+57sg5jG8JSCYOdB2p0JCMG9x' +
  'L9FKUNhH6IDltRudRnMbdouHol2wBMyqYAzjwamFZiuIWhjN0O7avS6MmmAbvfag+UBzhppptK61bvS6Hew77U6ra1xvd9a0CUBwa/19' +
  'oZm3tS0pJ6auG61uo4l/htlqd3uGdmdN86wxaKZmTwxtTbNdBzx5alBTu/OQiu8HMPZDGM6eq7ROHlOKj2/SDX3tII4mXiY9TS1FxA79' +
  'IKLztu+NPpSWhAda6OMaRRM47rLgjPEu8fu4SCHOe2S5Ah5isHBwZT3Zd7wh7FD+FSH9wNqE9Hpj6vGh6TEMwzAMwzAMw/wXivGeYjn+' +
  '7mtsq9h6pP84pF/PZ/UnpN8i/Zh0P7Ufi/QmyS3SB3vVnwrZeKWY1euoz2F/gbRH5y+kdnOxV1XVA9jETVWwq0/8odCHMLKmrtQtpaAW' +
  '6vkr50PLnULdH9Wzpw8uyHyZivXCrEyl2ZkGSkktnVzTgOIXkkwXk0wC7ABkMloYyoK6gNleibMdHUJ5FpOMb6QzBqFjg9DFBOwkanuK' +
  'm24PJAhlUV1EgyspgxkR5LKU+OnH+IE3nPiOJ4/1XFKX0LNx1PO0KHIrJ76NlK+0Bi40YMcaT7C3/bF+zxlupq/UXaWsltH2amI7RxB5' +
  'VY5dr+iBh5hYUeUUoFTUSma9jg45yDPfHdBSqmo1yrh9Q5jg2aYFwh7YZmiY27BrmDsI5VmOM8qTb08aUUvcV3DeWKDsBxD2MadSU2to' +
  'mDf4XynDMAzDMAzDnHlK8Rad3//z+39+/78fl+P3/wzDMAzDMAzDvHD8MHr36Zc33WefPfp14+LVS3//uNH/7fcvLt1ffe+77x9VPq0/' +
  'BzlYkSkgUAAA';

/** The bytes of a small snapshot, its digest included. */
export const snapshotBytes = (): Buffer => gunzipSync(Buffer.from(SNAPSHOT, 'base64'));

/** A folder that is gone after the test. */
export async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-backup-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A file with these bytes. */
export async function fileOf(bytes: Buffer, name = 'snapshot.db'): Promise<string> {
  const path = join(await folder(), name);
  await writeFile(path, bytes);
  return path;
}

/** Bytes as they come over a network: in pieces. */
export async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
