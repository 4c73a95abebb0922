import { describe, expect, it } from 'vitest';
import { canonicalIp, lackingSans, toSans } from '../../../src/pki/san.js';

describe('canonicalIp', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['010.001.000.09', '10.1.0.9'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fd00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
  ])('gives %s as %s', (text, expected) => {
    expect(canonicalIp(text)).toBe(expected);
  });

  it.each([
    '1',
    '10.1',
    '256.0.0.1',
    '10.0.0.0/8',
    'fe80::1%eth0',
    'fd00::/64',
    ' 10.0.0.1',
    '0x0a.0.0.1',
    '',
  ])('takes %j for no address', (text) => {
    expect(canonicalIp(text)).toBeNull();
  });
});

describe('toSans', () => {
  it('sorts names, keeps the order of addresses and drops duplicates in other spellings', () => {
    expect(toSans(['b', '::1', 'a', '*.c.d', '10.0.0.1', 'b', '::ffff:10.0.0.1', '0::1'])).toEqual({
      dns: ['*.c.d', 'a', 'b'],
      ips: ['::1', '10.0.0.1'],
    });
  });

  it.each([
    '',
    ' ',
    'a b',
    'münchen.example',
    'under_score',
    'UPPER',
    'a..b',
    '-a',
    '10.0.0.0/8',
    'fe80::1%eth0',
    '*',
    '*.',
    'a.*.b',
    'x'.repeat(254),
  ])('refuses %j, which a certificate library would encode wrongly', (name) => {
    expect(() => toSans([name])).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('lackingSans', () => {
  it('names what is missing and ignores what is more', () => {
    const actual = { dns: ['a', 'z'], ips: ['10.0.0.1'] };
    expect(lackingSans(toSans(['a', 'b', '10.0.0.1', '10.0.0.2']), actual)).toEqual(['b', '10.0.0.2']);
  });

  it('lets a wildcard stand for exactly one label', () => {
    const actual = { dns: ['*.example.com'], ips: [] };
    expect(lackingSans(toSans(['a.example.com', '*.example.com']), actual)).toEqual([]);
    expect(lackingSans(toSans(['a.b.example.com', 'example.com']), actual)).toEqual([
      'a.b.example.com',
      'example.com',
    ]);
  });

  it('compares names without regard to case', () => {
    expect(lackingSans(toSans(['api.example.com']), { dns: ['API.Example.com'], ips: [] })).toEqual([]);
  });
});
