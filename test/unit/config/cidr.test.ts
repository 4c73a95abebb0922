import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalAddress,
  contains,
  formatCidr,
  isNodeAddress,
  nthAddress,
  overlaps,
  parseCidr,
  parseCidrs,
  sizeOf,
} from '../../../src/config/cidr.js';

const address = fc.oneof(fc.ipV4(), fc.ipV6());
const cidr = address.chain((text) =>
  fc.integer({ min: 0, max: text.includes(':') ? 128 : 32 }).map((prefix) => `${text}/${prefix}`),
);

describe('a range of addresses', () => {
  test.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10/8',
    '1/8',
    '010.0.0.0/8',
    'fd00::/129',
    '::%eth0/64',
    '',
  ])('is not %j', (text) => expect(parseCidr(text)).toBeNull());

  test('loses its host bits', () => {
    expect(formatCidr(parseCidr('10.96.1.5/12') ?? fail())).toBe('10.96.0.0/12');
    expect(formatCidr(parseCidr('FD00:0::5/64') ?? fail())).toBe('fd00::/64');
  });

  test('is the same after printing and reading', () => {
    fc.assert(
      fc.property(cidr, (text) => {
        const parsed = parseCidr(text) ?? fail();
        expect(parseCidr(formatCidr(parsed))).toEqual(parsed);
      }),
    );
  });

  test('contains the address it was made from, and overlaps itself', () => {
    fc.assert(
      fc.property(cidr, (text) => {
        const parsed = parseCidr(text) ?? fail();
        expect(contains(parsed, text.split('/')[0] ?? '')).toBe(true);
        expect(overlaps(parsed, parsed)).toBe(true);
      }),
    );
  });

  test('overlaps another one exactly if one of the two contains the first address of the other', () => {
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        const [x, y] = [parseCidr(a) ?? fail(), parseCidr(b) ?? fail()];
        const first = (text: string) => formatCidr(parseCidr(text) ?? fail()).split('/')[0] ?? '';
        expect(overlaps(x, y)).toBe(contains(x, first(b)) || contains(y, first(a)));
      }),
    );
  });

  test('has its addresses counted from 0', () => {
    expect(nthAddress('10.96.0.0/12', 1)).toBe('10.96.0.1');
    expect(nthAddress('10.96.0.0/12,fd00::/108', 10)).toBe('10.96.0.10');
    expect(nthAddress('fd00::/108', 10)).toBe('fd00::a');
    expect(nthAddress('10.0.0.252/30', 3)).toBe('10.0.0.255');
    expect(() => nthAddress('10.0.0.252/30', 4)).toThrow('has no address number 4');
    expect(() => nthAddress('x', 1)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
    expect(sizeOf(parseCidr('10.0.0.0/30') ?? fail())).toBe(4n);
  });

  test('in a list stands without spaces', () => {
    expect(parseCidrs('10.0.0.0/8,fd00::/8')).toHaveLength(2);
    expect(parseCidrs('10.0.0.0/8, fd00::/8')).toBeNull();
  });
});

test('addresses have one spelling', () => {
  expect(canonicalAddress('FD00:0:0::1')).toBe('fd00::1');
  expect(canonicalAddress('host')).toBe('host');
});

test.each([
  ['10.0.0.1', true],
  ['203.0.113.9', true],
  ['fd00::1', true],
  ['127.0.0.1', false],
  ['0.0.0.0', false],
  ['169.254.1.1', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['::1', false],
  ['fe80::1', false],
  ['::ffff:10.0.0.1', false],
  ['1', false],
])('%s as the address of a node: %s', (text, expected) => expect(isNodeAddress(text)).toBe(expected));

function fail(): never {
  throw new Error('no range');
}
