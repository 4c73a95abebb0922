import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLUSTER, KUBEADM, parse, stream } from './support.js';

const read = (name: string) =>
  readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8').replaceAll(
    /"…"|(?<=sha256: )…/g,
    `"${'0'.repeat(64)}"`,
  );
const blocksOf = (text: string): string[] =>
  [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block);
const indented = (text: string) => text.replaceAll(/^(?=.)/gm, '    ');

describe('docs/addon-recipes.md', () => {
  const blocks = blocksOf(read('addon-recipes.md'));

  it('has what people ask for', () => {
    const names = blocks.flatMap((block) => [...block.matchAll(/^- name: (\S+)/gm)].map(([, name]) => name));
    for (const wanted of ['headlamp', 'ingress-nginx', 'traefik', 'haproxy', 'envoy-gateway', 'contour'])
      expect(names).toContain(wanted);
    for (const wanted of ['metallb', 'loki', 'longhorn', 'istiod', 'cert-manager'])
      expect(names).toContain(wanted);
  });

  it.each(blocks.map((block) => [/name: (\S+)/.exec(block)?.[1] ?? '', block]))(
    'has a right block for %s',
    (_, block) => {
      const { spec } = parse(stream(`${CLUSTER}  addons:\n${indented(block)}`, KUBEADM));
      expect(spec.addons.length).toBeGreaterThan(0);
    },
  );

  it('is right all together', () => {
    const { spec } = parse(stream(`${CLUSTER}  addons:\n${blocks.map(indented).join('')}`, KUBEADM));
    expect(new Set(spec.addons.map(({ name }) => name)).size).toBe(spec.addons.length);
  });
});

it('the example in docs/addons.md is right', () => {
  const [block = ''] = blocksOf(read('addons.md'));
  const addons = block.replace(/^spec:\n/, '');
  expect(parse(stream(`${CLUSTER}${addons}`, KUBEADM)).spec.addons).toHaveLength(3);
});
