import { didYouMean, nearest } from '../suggest.js';
import { objectProblemOf } from './manifest-source.js';
import type { Rule } from './rule.js';

/** Names of add-ons are unique, their needs are there and go round in no circle. */
export const addons: Rule = ({ Cluster }, report) => {
  const list = Cluster?.spec.addons ?? [];
  const names = list.map(({ name }) => name);
  for (const [index, { name, manifests, needs = [] }] of list.entries()) {
    const at = ['spec', 'addons', index];
    if (names.indexOf(name) < index)
      report('Cluster', [...at, 'name'], `${name} is also the name of the add-on before`);
    for (const [i, source] of manifests.entries()) {
      const problem = objectProblemOf(source);
      if (problem !== null) report('Cluster', [...at, 'manifests', i], problem);
    }
    for (const [i, need] of needs.entries()) {
      if (!names.includes(need))
        report(
          'Cluster',
          [...at, 'needs', i],
          `there is no add-on ${need}${didYouMean(nearest(need, names))}`,
        );
    }
    const circle = circleFrom(name, new Map(list.map((addon) => [addon.name, addon.needs ?? []])));
    if (circle !== null && names.indexOf(name) === index)
      report('Cluster', [...at, 'needs'], `goes round in a circle: ${circle.join(' → ')}`);
  }
};

/** The way from an add-on over its needs back to itself; null where there is none. */
function circleFrom(start: string, needs: ReadonlyMap<string, readonly string[]>): string[] | null {
  const seen = new Set<string>();
  const walk = (name: string, way: readonly string[]): string[] | null => {
    for (const next of needs.get(name) ?? []) {
      if (next === start) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = walk(next, [...way, next]);
      if (found !== null) return found;
    }
    return null;
  };
  return walk(start, [start]);
}
