import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TarFile, tarStream } from '../../../src/archive/tar.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keelson-tar-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function unpacked(files: TarFile[]): Promise<{ header: Header; content: Buffer }[]> {
  const found: { header: Header; content: Buffer }[] = [];
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk) => chunks.push(chunk as Buffer));
    stream.on('end', () => {
      found.push({ header, content: Buffer.concat(chunks) });
      next();
    });
  });
  await pipeline(async function* () {
    for await (const chunk of tarStream(files)) yield Buffer.from(chunk);
  }, reader);
  return found;
}

test('files of all sizes come out as they went in', async () => {
  const sizes = [0, 1, 511, 512, 513, 1 << 20, (1 << 20) + 1, 5 * (1 << 20) + 17];
  const files: TarFile[] = [];
  const contents: Buffer[] = [];
  for (const size of sizes) {
    const content = randomBytes(size);
    await writeFile(join(dir, `f${size}`), content);
    contents.push(content, content);
    files.push({
      header: { name: `file/${size}`, mode: 0o600 },
      content: { file: join(dir, `f${size}`), size },
    });
    files.push({ header: { name: `memory/${size}` }, content });
  }
  const found = await unpacked(files);
  expect(found.map(({ header }) => header.name)).toEqual(files.map(({ header }) => header.name));
  expect(found[0]?.header.mode).toBe(0o600);
  for (const [index, { content }] of found.entries())
    expect(content.equals(contents[index] ?? Buffer.of(1))).toBe(true);
});

test('a name that no plain header holds is kept', async () => {
  const name = `etc/${'long/'.repeat(60)}name`;
  const [entry] = await unpacked([{ header: { name }, content: Buffer.from('x') }]);
  expect(entry?.header.name).toBe(name);
  expect(entry?.content.toString()).toBe('x');
});

test('a chunk of a file is overwritten only after the next one was asked for', async () => {
  const content = randomBytes(3 * (1 << 20));
  const file = join(dir, 'three');
  await writeFile(file, content);
  let offset = -512;
  for await (const chunk of tarStream([
    { header: { name: 'three' }, content: { file, size: content.length } },
  ])) {
    await new Promise((resolve) => setImmediate(resolve));
    if (offset >= 0 && offset < content.length)
      expect(chunk.equals(content.subarray(offset, offset + chunk.length))).toBe(true);
    offset += chunk.length;
  }
  expect(offset).toBe(content.length + 1024);
});

test('a file that is shorter than announced, or not there, breaks the stream', async () => {
  const file = join(dir, 'short');
  await writeFile(file, 'abc');
  await expect(unpacked([{ header: { name: 'short' }, content: { file, size: 4 } }])).rejects.toThrow(
    'ends 1 bytes before its size of 4',
  );
  await expect(
    unpacked([{ header: { name: 'gone' }, content: { file: `${file}er`, size: 4 } }]),
  ).rejects.toThrow(/ENOENT.*shorter/);
});
