import { KeelsonError } from '../errors/keelson-error.js';
import type { S3Client, S3Upload } from './client.js';

/** Bytes of a part: one is in memory at a time. S3 takes ten thousand of them. */
const PART_BYTES = 16 * 1024 * 1024;

/**
 * Brings an object that is there as a whole or not at all, and never in place of another. `source` is read to its end
 * before the object appears; what it throws leaves nothing behind.
 * @returns bytes of the object
 * @throws CONFLICT where there is such an object; VERIFY where the server has another size of it
 */
export async function putNew(
  client: S3Client,
  key: string,
  source: AsyncIterable<Buffer>,
  partBytes = PART_BYTES,
): Promise<number> {
  if ((await client.size(key)) !== null) {
    throw new KeelsonError('CONFLICT', `${key} is there already, and is left as it is`, {
      hint: 'choose another prefix',
    });
  }
  let upload: S3Upload | undefined;
  let waiting: Buffer[] = [];
  let held = 0;
  let sent = 0;
  try {
    for await (const chunk of source) {
      for (let rest = chunk; rest.length > 0; ) {
        const piece = rest.subarray(0, partBytes - held);
        rest = rest.subarray(piece.length);
        waiting.push(piece);
        held += piece.length;
        if (held < partBytes) continue;
        upload ??= await client.begin(key);
        await upload.part(Buffer.concat(waiting));
        sent += held;
        [waiting, held] = [[], 0];
      }
    }
    const last = Buffer.concat(waiting);
    if (upload === undefined) await client.put(key, last);
    else {
      if (last.length > 0) await upload.part(last);
      await upload.complete();
    }
    sent += last.length;
  } catch (error) {
    await upload?.abort();
    throw error;
  }
  const there = await client.size(key);
  if (there === sent) return sent;
  throw new KeelsonError('VERIFY', `${key} has ${there ?? 'no'} bytes there, and ${sent} were sent`, {
    hint: 'delete it and try again',
  });
}
