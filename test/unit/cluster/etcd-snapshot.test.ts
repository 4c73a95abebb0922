import type { ServerHttp2Stream } from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkedSnapshot } from '../../../src/backup/snapshot-file.js';
import { withSnapshot } from '../../../src/cluster/etcd-snapshot.js';
import { type Answer, fakeEtcd, snapshotMessage } from '../../fakes/fake-etcd.js';
import { collect, snapshotBytes } from '../backup/fixtures.js';

const SERVED = { address: '127.0.0.1', port: 2379 };
const BYTES = snapshotBytes();
const DATABASE = BYTES.subarray(0, -32);

/** As etcd does: parts of the database, then its digest, then a status. */
function send(stream: ServerHttp2Stream, parts: number, status: string | null): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    if (status === null) stream.close(2);
    else stream.sendTrailers({ 'grpc-status': status, 'grpc-message': 'no%20space' });
  });
  const size = 4096;
  for (let part = 0; part < parts; part += 1) {
    const blob = DATABASE.subarray(part * size, (part + 1) * size);
    stream.write(snapshotMessage(blob, DATABASE.length - part * size - blob.length));
  }
  if (parts * size >= DATABASE.length) stream.write(snapshotMessage(BYTES.subarray(-32), 0));
  stream.end();
}

async function taken(answer: Answer, signal = new AbortController().signal): Promise<Buffer> {
  const etcd = await fakeEtcd(answer);
  onTestFinished(() => etcd.close());
  const bytes = await withSnapshot(etcd.host, etcd.credentials, signal, SERVED, ({ size, chunks }) =>
    collect(checkedSnapshot(chunks, 'of cp1', size)),
  );
  expect(etcd.paths).toEqual(['/etcdserverpb.Maintenance/Snapshot']);
  return bytes;
}

describe('a snapshot from a member', () => {
  it('arrives whole, with the digest behind it', async () => {
    expect((await taken((stream) => send(stream, 5, '0'))).equals(BYTES)).toBe(true);
  });

  it('is refused where the member ends early, though it says that all is well', async () => {
    await expect(taken((stream) => send(stream, 3, '0'))).rejects.toMatchObject({
      code: 'VERIFY',
      message: 'the snapshot of cp1 is damaged: it has 12288 of 20512 bytes',
    });
  });

  it('fails with what etcd says', async () => {
    await expect(taken((stream) => send(stream, 2, '14'))).rejects.toMatchObject({
      code: 'API',
      message: 'etcd: no space (gRPC status 14)',
      host: 'cp1',
    });
  });

  it('fails where the connection breaks off', async () => {
    const broken = taken((stream) => {
      send(stream, 2, null);
      stream.session?.destroy();
    });
    await expect(broken).rejects.toMatchObject({ code: 'CONNECTION', host: 'cp1' });
  });

  it('ends at once where it is interrupted', async () => {
    const controller = new AbortController();
    const silent: Answer = (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(snapshotMessage(DATABASE.subarray(0, 4096), DATABASE.length - 4096));
      controller.abort();
    };
    await expect(taken(silent, controller.signal)).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
