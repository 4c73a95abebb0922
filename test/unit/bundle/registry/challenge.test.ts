import { expect, test } from 'vitest';
import { parseChallenge } from '../../../../src/bundle/registry/challenge.js';
import { parseReference } from '../../../../src/bundle/registry/reference.js';

test.each([
  ['Basic realm="r"', { scheme: 'basic' }],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    {
      scheme: 'bearer',
      realm: 'https://auth.example/token',
      service: 'registry.example',
      scope: 'repository:a/b:pull,push',
    },
  ],
  [
    'bearer realm=https://auth.example/token',
    { scheme: 'bearer', realm: 'https://auth.example/token', service: null, scope: null },
  ],
  ['Bearer service="x"', null],
  ['Negotiate', null],
  [undefined, null],
])('%s is what a registry asks for', (header, expected) => {
  expect(parseChallenge(header)).toEqual(expected);
});

test('a reference has registry, repository, and tag or digest', () => {
  expect(parseReference('registry.k8s.io/pause:3.10.2')).toEqual({
    registry: 'registry.k8s.io',
    repository: 'pause',
    version: '3.10.2',
  });
  expect(parseReference('localhost:5000/a/b-c/d_e:v1')).toMatchObject({
    registry: 'localhost:5000',
    repository: 'a/b-c/d_e',
  });
  const digest = `sha256:${'0'.repeat(64)}`;
  expect(parseReference(`r.example/a@${digest}`).version).toBe(digest);
  for (const wrong of [
    'pause',
    'r.example/a',
    'r.example/../a:v1',
    'r.example/a:v1/..',
    'r.example/A:v1',
    'r.example/a b:v1',
  ])
    expect(() => parseReference(wrong)).toThrowError(expect.objectContaining({ code: 'USAGE' }));
});
