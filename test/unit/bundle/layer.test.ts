import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { expect, test } from 'vitest';
import { hashFile } from '../../../src/bundle/cache.js';
import { assembleImage } from '../../../src/bundle/image.js';
import { type LayerEntry, layerIdentity, writeLayer } from '../../../src/bundle/layer.js';
import { scratch } from './fixture.js';

const ENTRIES: LayerEntry[] = [
  { type: 'symlink', path: 'bin', target: 'usr/bin' },
  { type: 'file', path: 'usr/bin/tool', mode: 0o755, content: Buffer.from('tool') },
  { type: 'directory', path: 'tmp', mode: 0o1777 },
  { type: 'file', path: 'etc/empty', mode: 0o644, content: Buffer.alloc(0) },
];

async function headersOf(file: string): Promise<Header[]> {
  const headers: Header[] = [];
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    headers.push(header);
    stream.on('end', () => next());
    stream.resume();
  });
  await pipeline(createReadStream(file), reader);
  return headers;
}

test('the order in which entries are given does not change the bytes', async () => {
  const dir = await scratch();
  const one = await writeLayer(ENTRIES, join(dir, 'one'));
  const two = await writeLayer([...ENTRIES].reverse(), join(dir, 'two'));
  expect(two).toEqual(one);
  expect(await readFile(join(dir, 'two'))).toEqual(await readFile(join(dir, 'one')));
  expect(await hashFile(join(dir, 'one'))).toEqual(one);
});

test('entries are sorted, parents added, owned by root and dated to the epoch', async () => {
  const file = join(await scratch(), 'layer');
  await writeLayer(ENTRIES, file);
  const headers = await headersOf(file);
  expect(headers.map((header) => header.name)).toEqual([
    'bin',
    'etc',
    'etc/empty',
    'tmp',
    'usr',
    'usr/bin',
    'usr/bin/tool',
  ]);
  for (const header of headers)
    expect([header.uid, header.gid, header.mtime.getTime(), header.uname]).toEqual([0, 0, 0, '']);
  expect(headers.find((header) => header.name === 'tmp')?.mode).toBe(0o1777);
});

test('content from a file equals the same content from memory', async () => {
  const dir = await scratch();
  const source = join(dir, 'source');
  const bytes = Buffer.alloc(3_000_000, 7);
  await writeFile(source, bytes);
  const entry = { type: 'file', path: 'a', mode: 0o755 } as const;
  const fromFile: LayerEntry[] = [{ ...entry, content: { file: source, ...(await hashFile(source)) } }];
  const fromMemory: LayerEntry[] = [{ ...entry, content: bytes }];
  expect(await writeLayer(fromFile, join(dir, 'x'))).toEqual(await writeLayer(fromMemory, join(dir, 'y')));
});

test('a source that is gone is an error, not a short layer', async () => {
  const dir = await scratch();
  const gone = { file: join(dir, 'gone'), size: 4, sha256: 'x' };
  await expect(
    writeLayer([{ type: 'file', path: 'a', mode: 0o755, content: gone }], join(dir, 'x')),
  ).rejects.toThrow(/ENOENT/);
});

test('the capability to bind low ports is a pax record that tar tools restore', async () => {
  const file = join(await scratch(), 'layer');
  await writeLayer(
    [{ type: 'file', path: 'coredns', mode: 0o755, content: Buffer.from('x'), netBindService: true }],
    file,
  );
  const [header] = await headersOf(file);
  const pax = header?.pax as Record<string, string> | undefined;
  const value = pax?.['SCHILY.xattr.security.capability'] ?? '';
  expect(Buffer.from(value, 'latin1').toString('hex')).toBe(`010000020004${'00'.repeat(14)}`);
});

test('a layer is known by paths, modes and content, not by where the content lies', () => {
  const entry = { type: 'file', path: 'a', mode: 0o755 } as const;
  const at = (file: string, sha256: string): LayerEntry[] => [
    { ...entry, content: { file, size: 1, sha256 } },
  ];
  expect(layerIdentity(at('/x', 'aa'))).toBe(layerIdentity(at('/y', 'aa')));
  expect(layerIdentity(at('/x', 'aa'))).not.toBe(layerIdentity(at('/x', 'bb')));
});

test('the same configuration and layers give the same image digest', () => {
  const layers = [{ sha256: 'a'.repeat(64), size: 1, diffId: 'b'.repeat(64), comment: 'one' }];
  const digest = (user?: string) => assembleImage(user === undefined ? {} : { user }, layers).manifest.sha256;
  expect(digest()).toBe(digest());
  expect(digest('65532:65532')).not.toBe(digest());
});
