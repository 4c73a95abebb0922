import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseKubernetesYaml, stringifyYaml, stringifyYamlStream } from '../../../src/manifests/yaml.js';

describe('stringifyYaml', () => {
  it('quotes strings that a YAML 1.1 reader would take for something else', () => {
    const values = [
      'yes',
      'no',
      'on',
      'off',
      'y',
      'N',
      'true',
      '1_000',
      '0777',
      '0x1F',
      '1e3',
      '.5',
      '1:30',
      '~',
      'null',
      '',
      '2020-01-01',
    ];
    for (const value of values) {
      expect(stringifyYaml({ value })).toBe(`value: "${value}"\n`);
      expect(parse(stringifyYaml({ value }), { version: '1.1' })).toEqual({ value });
    }
  });

  it('sorts keys and does not indent sequences', () => {
    expect(stringifyYaml({ b: ['x'], a: { d: 1, c: null }, Z: 0 })).toBe(
      'Z: 0\na:\n  c: null\n  d: 1\nb:\n- x\n',
    );
  });

  it('leaves out undefined properties and keeps null', () => {
    expect(stringifyYaml({ a: undefined, b: null })).toBe('b: null\n');
  });

  it('writes no anchors for an object that occurs twice', () => {
    const shared = { app: 'x' };
    expect(stringifyYaml({ a: shared, b: shared })).toBe('a:\n  app: x\nb:\n  app: x\n');
  });

  it('writes texts of several lines as literal blocks, with and without a last newline', () => {
    expect(stringifyYaml({ a: 'x\ny\n', b: 'x\ny' })).toBe('a: |\n  x\n  y\nb: |-\n  x\n  y\n');
  });

  it('never folds a long line', () => {
    expect(stringifyYaml({ a: 'word '.repeat(100).trim() }).split('\n')).toHaveLength(2);
  });

  it('separates the objects of a stream', () => {
    expect(stringifyYamlStream([{ a: 1 }, { b: 2 }])).toBe('a: 1\n---\nb: 2\n');
  });
});

describe('parseKubernetesYaml', () => {
  it('reads YAML 1.1 booleans and octals, and leaves dates and sexagesimals as text or plain values', () => {
    expect(parseKubernetesYaml('a: yes\nb: 010\nc: 2020-01-01\nd: 10:30:00')).toEqual([
      { a: true, b: 8, c: '2020-01-01', d: '10:30:00' },
    ]);
  });

  it('reads floats only where there are digits', () => {
    expect(parseKubernetesYaml('[e0, ., 1e3, .5, -2.5e-1, .inf]')).toEqual([
      ['e0', '.', 1000, 0.5, -0.25, Infinity],
    ]);
  });

  it('reads every document and leaves out empty ones', () => {
    expect(parseKubernetesYaml('---\na: 1\n---\n---\nb: 2\n')).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it('reads JSON', () => {
    expect(parseKubernetesYaml('[{"op": "test"}]')).toEqual([[{ op: 'test' }]]);
  });

  it('names the fault of a text that is not YAML', () => {
    expect(() => parseKubernetesYaml('a: [')).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});
