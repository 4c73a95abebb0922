import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote } from '../../../src/host/quote.js';

describe('quote', () => {
  it.each([
    [['ls', '-l', '/etc/hosts'], 'ls -l /etc/hosts'],
    [['echo', ''], "echo ''"],
    [['echo', 'two words', "it's"], "echo 'two words' 'it'\\''s'"],
    [['env', 'A=b'], "env 'A=b'"],
    [['echo', '~', '$HOME', '*', '#'], "echo '~' '$HOME' '*' '#'"],
  ])('writes %j as a person would', (argv, line) => {
    expect(quote(argv)).toBe(line);
  });

  it('hands every word to the program byte for byte', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
      fc.string({ unit: fc.constantFrom(...'\'"\\ $`!\n\t;|&<>(){}[]*?~#=%-a'.split('')) }),
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        const { stdout } = spawnSync('sh', ['-c', quote(['printf', '%s\\0', ...words])]);
        expect(stdout.equals(Buffer.from(words.map((text) => `${text}\0`).join('')))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('refuses NUL, which no argument can hold', () => {
    expect(() => quote(['a\0b'])).toThrow(TypeError);
  });
});
