import { describe, expect, it } from 'vitest';
import { grpcMessages, snapshotPart } from '../../../src/cluster/grpc.js';

/** field 1 a header that is not looked at, field 2 remaining 300, field 3 the bytes, field 4 a version. */
const MESSAGE = Buffer.from([0x0a, 2, 8, 1, 0x10, 0xac, 0x02, 0x1a, 3, 1, 2, 3, 0x22, 1, 0x33]);
const framed = (message: Buffer) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

async function messagesOf(...chunks: Buffer[]): Promise<Buffer[]> {
  const stream = (async function* () {
    yield* chunks;
  })();
  const found: Buffer[] = [];
  for await (const message of grpcMessages(stream)) found.push(message);
  return found;
}

describe('a stream of gRPC messages', () => {
  it('is taken apart however the network cut it', async () => {
    const bytes = Buffer.concat([framed(MESSAGE), framed(Buffer.alloc(0)), framed(Buffer.from('x'))]);
    const expected = [MESSAGE, Buffer.alloc(0), Buffer.from('x')];
    expect(await messagesOf(bytes)).toEqual(expected);
    expect(await messagesOf(...[...bytes].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  it('that ends within a message is an error', async () => {
    await expect(messagesOf(framed(MESSAGE).subarray(0, -1))).rejects.toThrow('ended within a message');
  });
});

describe('a part of a snapshot', () => {
  it('has bytes and says how many are to come', () => {
    expect(snapshotPart(MESSAGE)).toEqual({ remaining: 300, blob: Buffer.from([1, 2, 3]) });
  });

  it('at the end has a digest and nothing to come', () => {
    expect(snapshotPart(Buffer.from([0x1a, 1, 9]))).toEqual({ remaining: 0, blob: Buffer.from([9]) });
  });

  it('cut off is an error', () => {
    expect(() => snapshotPart(MESSAGE.subarray(0, 10))).toThrow('cut off');
  });
});
