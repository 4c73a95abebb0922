import { describe, expect, it } from 'vitest';
import { jsonMergePatch, jsonPatch } from '../../../src/manifests/json-patch.js';
import { applyPatches, parsePatchName } from '../../../src/manifests/patches.js';
import { strategicMerge } from '../../../src/manifests/strategic-merge.js';
import { DEPLOYMENT_SCHEMA, POD_SCHEMA } from '../../../src/manifests/strategic-merge-schema.js';

const message = (text: string | RegExp) =>
  expect.objectContaining({ code: 'CONFIG', message: expect.stringMatching(text) });

describe('parsePatchName', () => {
  it.each([
    ['etcd.yaml', 'etcd', 'strategic'],
    ['kube-apiserver0+merge.yaml', 'kube-apiserver', 'merge'],
    ['kube-scheduler-tuning+json.json', 'kube-scheduler', 'json'],
    ['kubeletconfiguration1+strategic.yaml', 'kubeletconfiguration', 'strategic'],
    ['corednsdeployment.json', 'corednsdeployment', 'strategic'],
  ])('reads %s', (name, target, type) => {
    expect(parsePatchName(name)).toEqual({ target, type });
  });

  it.each(['README.md', 'etcd.yml', 'other.yaml', '.yaml', 'Etcd.yaml'])('ignores %s', (name) => {
    expect(parsePatchName(name)).toBeNull();
  });

  it('refuses an unknown patch type', () => {
    expect(() => parsePatchName('etcd+foo.yaml')).toThrow(message(/etcd\+foo\.yaml/));
  });
});

describe('applyPatches', () => {
  it('applies files in the order of their names and each document of a file', () => {
    const files = [
      { name: 'etcd1+merge.yaml', content: 'a: second\nb: 1' },
      { name: 'etcd0+merge.yaml', content: 'a: first\n---\nc: 2' },
      { name: 'kube-apiserver.yaml', content: 'a: other' },
    ];
    expect(applyPatches('etcd', { a: 'none' }, files)).toEqual({ a: 'second', b: 1, c: 2 });
  });

  it('leaves the given object as it is', () => {
    const object = { spec: { list: [1], map: { a: 1 } } };
    applyPatches('etcd', object, [{ name: 'etcd+json.yaml', content: '[{op: remove, path: /spec/list/0}]' }]);
    applyPatches('etcd', object, [{ name: 'etcd.yaml', content: 'spec: {map: {a: null}}' }]);
    expect(object).toEqual({ spec: { list: [1], map: { a: 1 } } });
  });

  it.each([
    ['etcd.yaml', 'a: [', /patch etcd\.yaml: /],
    ['etcd.yaml', '- a', /patch etcd\.yaml: the patch is not an object/],
    ['etcd+json.yaml', 'a: b', /patch etcd\+json\.yaml: .*list of operations/],
    ['etcd+json.yaml', '[{op: test, path: /a, value: 2}]', /operation 1: test of \/a failed/],
    ['etcd.yaml', 'spec: {containers: [{image: x}]}', /patch etcd\.yaml: .*no name/],
  ])('names the file %s that does not apply', (name, content, expected) => {
    expect(() => applyPatches('etcd', { a: 1, spec: { containers: [] } }, [{ name, content }])).toThrow(
      message(expected),
    );
  });
});

describe('strategicMerge', () => {
  const pod = {
    spec: {
      containers: [
        {
          name: 'a',
          env: [{ name: 'X', value: '1' }],
          args: ['1'],
          ports: [{ containerPort: 1, name: 'p' }],
        },
        { name: 'b' },
      ],
      volumes: [{ name: 'v1', hostPath: { path: '/a' } }, { name: 'v2' }, { name: 'v3' }],
      hostAliases: [{ ip: '1.1.1.1', hostnames: ['x'] }],
      tolerations: [{ key: 'k' }],
    },
    metadata: { finalizers: ['a', 'b'] },
  };
  const spec = (patch: object) =>
    strategicMerge(pod, { spec: patch }, POD_SCHEMA).spec as Record<string, unknown[]>;

  it('merges containers, env, ports, volumes and host aliases by their keys', () => {
    const merged = spec({
      containers: [
        { name: 'a', env: [{ name: 'Y', value: '2' }], ports: [{ containerPort: 1, protocol: 'TCP' }] },
      ],
      hostAliases: [{ ip: '1.1.1.1', hostnames: ['y'] }],
    });
    expect(merged.containers?.[0]).toEqual({
      name: 'a',
      env: [
        { name: 'Y', value: '2' },
        { name: 'X', value: '1' },
      ],
      args: ['1'],
      ports: [{ containerPort: 1, name: 'p', protocol: 'TCP' }],
    });
    expect(merged.hostAliases).toEqual([{ ip: '1.1.1.1', hostnames: ['y'] }]);
  });

  it('replaces lists without a key as a whole', () => {
    expect(spec({ tolerations: [{ operator: 'Exists' }] }).tolerations).toEqual([{ operator: 'Exists' }]);
    expect(spec({ containers: [{ name: 'a', args: ['2'] }] }).containers?.[0]).toMatchObject({ args: ['2'] });
  });

  it('puts new elements before those that it does not mention, as Kubernetes does', () => {
    expect(spec({ volumes: [{ name: 'new' }] }).volumes).toMatchObject([
      { name: 'new' },
      { name: 'v1' },
      { name: 'v2' },
      { name: 'v3' },
    ]);
    expect(spec({ volumes: [{ name: 'v2' }, { name: 'new' }] }).volumes).toMatchObject([
      { name: 'v1' },
      { name: 'v2' },
      { name: 'new' },
      { name: 'v3' },
    ]);
  });

  it('deletes elements, replaces lists and replaces maps by directive', () => {
    expect(spec({ volumes: [{ name: 'v2', $patch: 'delete' }] }).volumes).toMatchObject([
      { name: 'v1' },
      { name: 'v3' },
    ]);
    expect(spec({ volumes: [{ $patch: 'replace' }, { name: 'only' }] }).volumes).toEqual([{ name: 'only' }]);
    expect(strategicMerge(pod, { metadata: { $patch: 'replace', name: 'x' } }, POD_SCHEMA).metadata).toEqual({
      name: 'x',
    });
    expect(strategicMerge(pod, { metadata: { $patch: 'delete' } }, POD_SCHEMA).metadata).toEqual({});
  });

  it('joins and deletes from lists of scalars that merge', () => {
    const finalizers = (patch: object) => strategicMerge(pod, { metadata: patch }, POD_SCHEMA).metadata;
    expect(finalizers({ finalizers: ['c'] })).toEqual({ finalizers: ['c', 'a', 'b'] });
    expect(finalizers({ '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({ finalizers: ['b'] });
  });

  it('keeps only the named keys with $retainKeys', () => {
    const merged = spec({ volumes: [{ name: 'v1', $retainKeys: ['name', 'emptyDir'], emptyDir: {} }] });
    expect(merged.volumes?.[0]).toEqual({ name: 'v1', emptyDir: {} });
    expect(() => spec({ volumes: [{ name: 'v1', $retainKeys: ['name'], emptyDir: {} }] })).toThrow(
      message(/emptyDir/),
    );
  });

  it('deletes by null, and drops nulls of what it adds', () => {
    expect(strategicMerge({ a: 1, b: 2 }, { a: null, c: { d: null, e: 1 }, f: null }, {})).toEqual({
      b: 2,
      c: { e: 1 },
    });
  });

  it('knows the pod template of a Deployment', () => {
    const deployment = { spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }] } } } };
    const patch = { spec: { template: { spec: { containers: [{ name: 'c', tty: true }] } } } };
    expect(strategicMerge(deployment, patch, DEPLOYMENT_SCHEMA)).toEqual({
      spec: { template: { spec: { containers: [{ name: 'c', image: 'i', tty: true }] } } },
    });
  });

  it('refuses unknown directives', () => {
    expect(() => strategicMerge({}, { $patch: 'merge' }, {})).toThrow(message(/merge/));
    expect(() => spec({ volumes: [{ name: 'v1', $patch: 'add' }] })).toThrow(message(/add/));
  });
});

describe('jsonPatch', () => {
  const run = (target: unknown, ...operations: object[]) => jsonPatch(target, operations);

  it('does all six operations', () => {
    expect(
      run({ a: 1 }, { op: 'add', path: '/b', value: [1, 3] }, { op: 'add', path: '/b/1', value: 2 }),
    ).toEqual({
      a: 1,
      b: [1, 2, 3],
    });
    expect(run({ a: [1] }, { op: 'add', path: '/a/-', value: 2 })).toEqual({ a: [1, 2] });
    expect(run({ a: 1, b: 2 }, { op: 'remove', path: '/a' })).toEqual({ b: 2 });
    expect(run({ a: [1, 2] }, { op: 'replace', path: '/a/0', value: 9 })).toEqual({ a: [9, 2] });
    expect(run({ a: { b: 1 } }, { op: 'move', from: '/a/b', path: '/c' })).toEqual({ a: {}, c: 1 });
    expect(run({ a: { b: 1 } }, { op: 'copy', from: '/a', path: '/c' })).toEqual({
      a: { b: 1 },
      c: { b: 1 },
    });
    expect(run({ a: { b: [1] } }, { op: 'test', path: '/a', value: { b: [1] } })).toEqual({ a: { b: [1] } });
  });

  it('reads escaped pointers, the whole document and indices from the end', () => {
    expect(
      run({ 'a/b': 1, 'c~d': 2 }, { op: 'remove', path: '/a~1b' }, { op: 'remove', path: '/c~0d' }),
    ).toEqual({});
    expect(run({ a: 1 }, { op: 'replace', path: '', value: { b: 2 } })).toEqual({ b: 2 });
    expect(run({ a: [1, 2, 3] }, { op: 'remove', path: '/a/-1' })).toEqual({ a: [1, 2] });
  });

  it.each([
    [{ op: 'remove', path: '/x' }, /operation 1: there is no \/x/],
    [{ op: 'replace', path: '/x', value: 1 }, /there is no \/x/],
    [{ op: 'add', path: '/x/y', value: 1 }, /no parent of \/x\/y/],
    [{ op: 'add', path: '/list/7', value: 1 }, /there is no place \/list\/7/],
    [{ op: 'add', path: '/x' }, /add needs a value/],
    [{ op: 'copy', from: '/x', path: '/y' }, /there is no \/x/],
    [{ op: 'test', path: '/list', value: [2] }, /test of \/list failed: expected \[2\]/],
    [{ op: 'jump', path: '/list' }, /unknown op "jump"/],
    [{ op: 'remove', path: 'list' }, /path must be a JSON pointer/],
  ])('refuses %j', (operation, expected) => {
    expect(() => jsonPatch({ list: [1] }, [operation])).toThrow(message(expected));
  });

  it('does not reach into prototypes', () => {
    expect(() => run({}, { op: 'replace', path: '/constructor', value: 1 })).toThrow(message(/there is no/));
  });
});

describe('jsonMergePatch', () => {
  it('merges maps, deletes by null and replaces everything else', () => {
    expect(jsonMergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: 3 }, d: [2] })).toEqual({
      a: { c: 2, e: 3 },
      d: [2],
    });
    expect(jsonMergePatch('text', { a: { b: null } })).toEqual({ a: {} });
  });
});
