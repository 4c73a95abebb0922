import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tarReader } from '../../../../src/bundle/carry/tar-reader.js';
import { parseTarHeader, tarHeader } from '../../../../src/bundle/carry/tar-record.js';
import { tarWriter } from '../../../../src/bundle/carry/tar-writer.js';
import { scratch } from '../fixture.js';

async function archive(contents: Record<string, string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const tar = tarWriter(async (bytes) => void chunks.push(bytes));
  for (const [name, content] of Object.entries(contents)) await tar.add(name, Buffer.from(content));
  await tar.end();
  return Buffer.concat(chunks);
}

async function read(bytes: Buffer, step = bytes.length): Promise<Record<string, string>> {
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  };
  const tar = tarReader(chunks(), 'a.tar');
  const contents: Record<string, string> = {};
  for (let entry = await tar.next(); entry !== null; entry = await tar.next())
    contents[entry.name] = (await tar.bytes(1 << 20)).toString();
  return contents;
}

const CONTENTS = { 'a/b': 'content', empty: '', full: 'x'.repeat(512) };

test('what was written is read, however the bytes arrive', async () => {
  const bytes = await archive(CONTENTS);
  expect(await read(bytes)).toEqual(CONTENTS);
  expect(await read(bytes, 7)).toEqual(CONTENTS);
});

test('tar itself reads it', async () => {
  const file = join(await scratch(), 'a.tar');
  writeFileSync(file, await archive(CONTENTS));
  const list = execFileSync('tar', [
    '--list',
    '--verbose',
    '--numeric-owner',
    '--utc',
    '--file',
    file,
  ]).toString();
  expect(list.replace(/ +/g, ' ').split('\n').slice(0, 2)).toEqual([
    '-rw-r--r-- 0/0 7 1970-01-01 00:00 a/b',
    '-rw-r--r-- 0/0 0 1970-01-01 00:00 empty',
  ]);
  expect(execFileSync('tar', ['--extract', '--to-stdout', '--file', file, 'a/b']).toString()).toBe('content');
});

test('any single bit that is another makes it unreadable', async () => {
  const bytes = await archive({ a: 'content' });
  const accepted: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit += 3) {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await read(copy).then(
      () => accepted.push(bit),
      () => undefined,
    );
  }
  expect(accepted).toEqual([]);
});

test('headers of other kinds are none: links, devices, other modes and owners', () => {
  const good = tarHeader({ name: 'a', size: 1 });
  expect(parseTarHeader(good)).toEqual({ name: 'a', size: 1 });
  for (const [at, value] of [
    [156, '2'],
    [156, '5'],
    [100, '0004755'],
    [108, '0001000'],
  ] as const) {
    const other = Buffer.from(good);
    other.write(value, at, 'ascii');
    other.write('        ', 148, 'ascii');
    const sum = other.reduce((total, byte) => total + byte, 0);
    other.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
    expect(parseTarHeader(other)).toBeNull();
  }
});

test('a name that tar can not hold is an error of the program', () => {
  expect(() => tarHeader({ name: 'x'.repeat(101), size: 0 })).toThrow();
  expect(() => tarHeader({ name: 'a b', size: 0 })).toThrow();
});
