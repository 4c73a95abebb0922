import { isMap, isScalar, isSeq, type Scalar, type YAMLMap } from 'yaml';
import { problemAt, type Source } from './documents.js';

/** `[001-200]`, `[1-3,7]`: numbers, in the width that the first one has. */
const BRACKETS = /\[(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\]/;
/** More is taken for a slip. */
const MOST_HOSTS = 5000;

/** Fields of a host that are counted up with its name. */
const COUNTED: readonly string[] = ['name', 'address', 'nodeIP', 'advertiseAddress'];

/**
 * What a pattern stands for, in order: `w[08-10]` is w08, w09 and w10. Text without brackets stands for itself.
 * @returns null for brackets that count nothing or too much
 */
export function expandPattern(pattern: string): string[] | null {
  const match = BRACKETS.exec(pattern);
  if (match === null) return /[[\]]/.test(pattern) ? null : [pattern];
  const [whole, ranges = ''] = match;
  const numbers: string[] = [];
  for (const range of ranges.split(',')) {
    const [first = '', last = first] = range.split('-');
    if (Number(last) < Number(first) || Number(last) - Number(first) >= MOST_HOSTS) return null;
    for (let number = Number(first); number <= Number(last); number += 1)
      numbers.push(String(number).padStart(first.length, '0'));
  }
  if (numbers.length > MOST_HOSTS) return null;
  const [before, after] = [pattern.slice(0, match.index), pattern.slice(match.index + whole.length)];
  if (BRACKETS.test(after)) return null;
  return numbers.map((number) => `${before}${number}${after}`);
}

/**
 * Puts hosts in the place of entries whose name is a pattern. A host that has an entry of its own is left out of
 * patterns. Entries of a pattern stand where the pattern stands, so that errors name its line.
 */
export function expandHosts(source: Source): void {
  for (const { kind, document } of source.documents) {
    const hosts = kind === 'Cluster' ? document.getIn(['spec', 'hosts']) : undefined;
    if (!isSeq(hosts)) continue;
    const named = new Set(hosts.items.flatMap((host) => (isMap(host) ? [textOf(host, 'name') ?? ''] : [])));
    const report = (index: number, field: string, message: string) =>
      source.problems.push(problemAt(source, document, ['spec', 'hosts', index, field], message));
    const items = hosts.items.flatMap((host, index): unknown[] => {
      if (!isMap(host) || !(textOf(host, 'name') ?? '').includes('[')) return [host];
      const entries = entriesOf(host, (field, message) => report(index, field, message));
      return entries.filter((entry) => !named.has(textOf(entry, 'name') ?? ''));
    });
    hosts.items = items;
  }
}

/** Entries of one pattern; [] where it is wrong. */
export function entriesOf(host: YAMLMap, report: (field: string, message: string) => void): YAMLMap[] {
  const names = expandPattern(textOf(host, 'name') ?? '');
  if (names === null) {
    report('name', `brackets hold numbers, once: w[001-200], w[1-3,7], and at most ${MOST_HOSTS} of them`);
    return [];
  }
  const values = new Map<string, string[]>();
  for (const field of COUNTED) {
    const text = textOf(host, field);
    if (text === undefined || (field !== 'address' && !text.includes('['))) continue;
    const expanded = expandPattern(text);
    if (expanded === null || expanded.length !== names.length) {
      const found = expanded === null ? 'no numbers' : `${expanded.length}`;
      report(field, `the name stands for ${names.length} hosts, this for ${found}: count both alike`);
      return [];
    }
    values.set(field, expanded);
  }
  return names.map((_name, index) => {
    const entry = host.clone() as YAMLMap;
    for (const [field, expanded] of values) {
      const node = entry.get(field, true) as Scalar;
      node.value = expanded[index];
      // Written as it is now, not as it stood in the text.
      delete node.source;
    }
    return entry;
  });
}

function textOf(host: YAMLMap, field: string): string | undefined {
  const node = host.get(field, true);
  return isScalar(node) && typeof node.value === 'string' ? node.value : undefined;
}
