import { expect, it } from 'vitest';
import { qualifiedReference } from '../../../../src/bundle/registry/reference.js';

it.each([
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['rancher/local-path-provisioner:v0.0.30', 'docker.io/rancher/local-path-provisioner:v0.0.30'],
  ['quay.io/calico/node:v3.32.1', 'quay.io/calico/node:v3.32.1'],
  ['registry.example:5000/tool', 'registry.example:5000/tool:latest'],
  ['localhost/tool:v1', 'localhost/tool:v1'],
  [`quay.io/calico/node@sha256:${'0'.repeat(64)}`, `quay.io/calico/node@sha256:${'0'.repeat(64)}`],
])('completes %s as container runtimes do', (reference, whole) => {
  expect(qualifiedReference(reference)).toBe(whole);
});
