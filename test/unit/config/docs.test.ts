import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configSchema } from '../../../src/config/schema/json-schema.js';
import { parse } from './support.js';

const text = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

test('the example in docs/configuration.md is valid', () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  expect(parse(example)).toMatchObject({ name: 'demo', notes: [], spec: { bundle: '/etc/keelson/bundle' } });
});

test('docs/configuration.md names every field of the Cluster document', () => {
  const { definitions } = configSchema() as { definitions: { Cluster: object } };
  const names = new Set<string>();
  JSON.stringify(definitions.Cluster, (key, value) => {
    if (key === 'properties') for (const name of Object.keys(value)) names.add(name);
    return value;
  });
  expect(names.size).toBeGreaterThan(30);
  const outside = ['apiVersion', 'kind', 'timeAdded', 'effect', 'value', 'key'];
  const missing = [...names].filter(
    (name) => !outside.includes(name) && !new RegExp(`[\`.]${name}[\`.]|${name}:`).test(text),
  );
  expect(missing).toEqual([]);
});
