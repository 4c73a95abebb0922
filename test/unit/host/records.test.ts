import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReadAnswer } from '../../../src/host/read.js';
import { parseFrames } from '../../../src/host/records.js';

describe('records of a script', () => {
  it('hold any bytes, whatever they look like', () => {
    const record = fc.record({
      kind: fc.constantFrom('P', 'U'),
      head: fc.constantFrom('0 0', '', '12 127'),
      payload: fc.uint8Array({ maxLength: 200 }),
    });
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const bytes = Buffer.concat(
          records.flatMap(({ kind, head, payload }) => [
            Buffer.from(`${kind}${head === '' ? '' : ` ${head}`} ${payload.length}\0`),
            Buffer.from(payload),
          ]),
        );
        const frames = parseFrames(bytes);
        expect(frames.map(({ kind, head, payload }) => ({ kind, head, payload: [...payload] }))).toEqual(
          records.map(({ kind, head, payload }) => ({ kind, head, payload: [...payload] })),
        );
      }),
    );
  });

  it('may have no payload, and the archive takes the rest', () => {
    const frames = parseFrames(Buffer.from('m tar\0s f 600 a:b 1 2.5 /x y\nz\0T\0anything\0at all'));
    expect(frames.map(({ kind, head, payload }) => [kind, head, payload.toString()])).toEqual([
      ['m', 'tar', ''],
      ['s', 'f 600 a:b 1 2.5 /x y\nz', ''],
      ['T', '', 'anything\0at all'],
    ]);
  });

  it.each(['P 0 0 5\0abcd', 'P 0 0', 'P 0 0 x\0', 'hello from .bashrc\0', 'P 0 0 -1\0'])(
    'that are cut off or none are refused: %j',
    (text) => {
      expect(() => parseFrames(Buffer.from(text))).toThrow('garbled');
    },
  );

  it('cut at any byte never pass for the whole', async () => {
    const whole = Buffer.from('P 0 0 3\0abcP 1 0 3\0defU 4\0x=y\n');
    for (let length = 1; length < whole.length; length += 1) {
      const part = whole.subarray(0, length);
      let frames = 0;
      try {
        frames = parseFrames(part).length;
      } catch {
        continue;
      }
      expect(frames).toBeLessThan(3);
    }
  });
});

describe('the answer to a read', () => {
  it('names tools that the host lacks', async () => {
    await expect(parseReadAnswer(Buffer.from('m find\0m tar\0'), { files: ['/a'] })).rejects.toMatchObject({
      code: 'PREFLIGHT',
      message: 'the host lacks find, tar',
    });
  });

  it('gives units in the order in which they were asked for', async () => {
    const block = (active: string): string =>
      `LoadState=loaded\nActiveState=${active}\nSubState=x\nUnitFileState=enabled`;
    const text = `${block('active')}\n\n${block('failed')}\n`;
    const answer = Buffer.from(`U ${text.length}\0${text}`);
    const { units } = await parseReadAnswer(answer, { units: ['a.service', 'b.service', 'c.service'] });
    expect(units.get('a.service')).toEqual({
      unit: 'a.service',
      load: 'loaded',
      active: 'active',
      sub: 'x',
      enabled: 'enabled',
    });
    expect(units.get('b.service')?.active).toBe('failed');
    expect(units.get('c.service')?.load).toBe('not-found');
  });

  it('refuses an archive that is cut off', async () => {
    await expect(
      parseReadAnswer(Buffer.from(`T\0${'x'.repeat(700)}`), { files: ['/x'] }),
    ).rejects.toMatchObject({
      code: 'REMOTE_COMMAND',
    });
  });
});
