import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../../src/manifests/parse-manifests.js';

const parse = (text: string) => parseManifests(text, 'm.yaml');

describe('manifests', () => {
  it('are streams of objects; empty documents are none, and lists are taken apart', () => {
    const objects = parse(`# nothing
---
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Secret, metadata: {name: b}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
`);
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Namespace a',
      'Secret b',
      'ConfigMap c',
    ]);
  });

  it('are read as kubectl reads them', () => {
    const [object] = parse(
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {mode: 0644, on: yes, at: 2001-01-01, ratio: 1:30}\n',
    );
    expect(object?.data).toEqual({ mode: 420, true: true, at: '2001-01-01', ratio: '1:30' });
  });

  it.each(['e1', 'E-3', 'e-57'])('keep the name %s, which is no number without a digit before', (name) => {
    const text = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`;
    expect(parseManifests(text, 'a.yaml')[0]?.metadata.name).toBe(name);
  });

  it('have their mistakes named', () => {
    const said = (text: string) => {
      try {
        return parse(text).length;
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said('a: [')).toMatch(/^m\.yaml:1: /);
    expect(said('- 1\n')).toBe('m.yaml has a document that is no Kubernetes object');
    expect(said('kind: Pod\n')).toBe('m.yaml has an object without apiVersion or kind');
    expect(said('apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n')).toBe(
      'm.yaml has a Pod without a name',
    );
  });
});
