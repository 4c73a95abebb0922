import { expect, test } from 'vitest';
import { groupedLines } from '../../../src/errors/grouped.js';

test('hosts with one cause stand in one line, the most frequent cause first', () => {
  expect(
    groupedLines([
      { who: 'w1', message: 'disk full' },
      { who: 'w2', message: 'root@10.0.0.2:22 refused the connection' },
      { who: 'w3', message: 'root@10.0.0.3:22 refused the connection' },
    ]),
  ).toEqual(['w2, w3: root@* refused the connection', 'w1: disk full']);
});

test('a cause of one host keeps its words, and names of many hosts are cut short', () => {
  expect(groupedLines([{ who: 'w1', message: 'w1 (10.0.0.1) is gone' }])).toEqual([
    'w1: w1 (10.0.0.1) is gone',
  ]);
  const many = Array.from({ length: 20 }, (_, index) => ({ who: `w${index + 10}`, message: 'gone' }));
  expect(groupedLines(many)).toEqual(['w10, w11, w12, w13, w14, w15, w16, w17 and 12 more: gone']);
});
