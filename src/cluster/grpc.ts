import { protobufFields } from './protobuf.js';

/** Longest message that is taken, bytes: etcd sends a snapshot in parts of 32 KiB. */
const MAX_MESSAGE = 64 * 1024 * 1024;

/**
 * The messages of a gRPC stream: a flag for compression, four bytes of length, the message.
 * @throws Error for a compressed or cut-off message
 */
export async function* grpcMessages(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 5) break;
      if (rest[0] !== 0) throw new Error('a compressed gRPC message was not asked for');
      const length = rest.readUInt32BE(1);
      if (length > MAX_MESSAGE) throw new Error(`a gRPC message of ${length} bytes`);
      if (rest.length < 5 + length) break;
      yield rest.subarray(5, 5 + length);
      rest = rest.subarray(5 + length);
    }
  }
  if (rest.length > 0) throw new Error('the stream ended within a message');
}

/** etcdserverpb.SnapshotResponse: how many bytes of the database are still to come, and some of them. */
export function snapshotPart(message: Buffer): { remaining: number; blob: Buffer } {
  let remaining = 0;
  let blob: Buffer = Buffer.alloc(0);
  for (const part of protobufFields(message)) {
    if (part.field === 2 && 'value' in part) remaining = part.value;
    if (part.field === 3 && 'bytes' in part) blob = part.bytes;
  }
  return { remaining, blob };
}
