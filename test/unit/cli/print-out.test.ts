import { describe, expect, it } from 'vitest';
import { printOut } from '../../../src/cli/print-out.js';

/** A stream that refuses what is written, as the system says it. */
function refusing(code: string): NodeJS.WriteStream {
  const error = Object.assign(new Error(`${code}: refused, write`), { code, syscall: 'write' });
  return {
    write: (_text: string, done: (error: Error) => void) => {
      done(error);
      return false;
    },
  } as unknown as NodeJS.WriteStream;
}

describe('a result', () => {
  it('that nobody reads to its end is no error', async () => {
    await expect(printOut(refusing('EPIPE'), 'text')).resolves.toBeUndefined();
  });

  it('that can not be written is one, and says so', async () => {
    await expect(printOut(refusing('ENOSPC'), 'text')).rejects.toMatchObject({
      code: 'CONFIG',
      message: "the result can't be written: stdout: there is no space left",
      hint: expect.stringContaining('what the command did is done'),
    });
  });

  it('is waited for', async () => {
    const late = {
      write: (_text: string, done: () => void) => setTimeout(done, 20),
    } as unknown as NodeJS.WriteStream;
    const began = performance.now();
    await printOut(late, 'text');
    expect(performance.now() - began).toBeGreaterThan(10);
  });
});
