import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { gzipped } from '../../../src/archive/gzip.js';

it('takes each chunk whole before it asks for the next one, which may lie in the same memory', async () => {
  const memory = Buffer.alloc(300_000);
  const expected: Buffer[] = [];
  async function* reusing(): AsyncGenerator<Buffer> {
    for (let round = 0; round < 20; round += 1) {
      for (let at = 0; at < memory.length; at += 4) memory.writeUInt32LE((at * 2654435761 + round) >>> 0, at);
      expected.push(Buffer.from(memory));
      yield memory;
    }
  }
  const out: Buffer[] = [];
  for await (const chunk of gzipped(reusing())) out.push(Buffer.from(chunk));
  expect(gunzipSync(Buffer.concat(out)).equals(Buffer.concat(expected))).toBe(true);
});

it('ends with the error of its source', async () => {
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(1000);
    throw new Error('gone');
  }
  const reading = (async () => {
    for await (const _ of gzipped(failing()));
  })();
  await expect(reading).rejects.toThrow('gone');
});

it('ends when nobody reads on', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(100_000, Math.random().toString());
  }
  for await (const chunk of gzipped(endless())) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
});
