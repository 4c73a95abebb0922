import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeNew } from '../../../src/backup/write-new.js';
import { folder, pieces } from './fixtures.js';

const bytes = Buffer.from('0123456789');

describe('writing a new file', () => {
  it('makes the directory, gives the file mode 0600 and leaves nothing else', async () => {
    const directory = join(await folder(), 'deep', 'er');
    expect(await writeNew(join(directory, 'a'), pieces(bytes, 3))).toBe(10);
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('0123456789');
    expect((await stat(join(directory, 'a'))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['a']);
  });

  it('never takes the place of another file', async () => {
    const path = join(await folder(), 'a');
    await writeFile(path, 'old');
    await expect(writeNew(path, pieces(bytes))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('leaves nothing where the source fails at its end', async () => {
    const directory = await folder();
    const failing = async function* () {
      yield* pieces(bytes);
      throw new Error('damaged');
    };
    await expect(writeNew(join(directory, 'a'), failing())).rejects.toThrow('damaged');
    expect(await readdir(directory)).toEqual([]);
  });

  it('says what is wrong with a directory that can’t be written', async () => {
    const file = join(await folder(), 'file');
    await writeFile(file, '');
    await expect(writeNew(join(file, 'a'), pieces(bytes))).rejects.toMatchObject({ code: 'CONFIG' });
  });
});
