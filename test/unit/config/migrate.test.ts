import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { migrateConfig } from '../../../src/config/migrate.js';
import { CLUSTER, errorOf, KUBEADM, parse, stream } from './support.js';

const testdata = (name: string) => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');
const OLD = testdata('v1beta3.yaml');
const BY_KUBEADM = testdata('v1beta4-by-kubeadm-1.36.3.yaml');

test('v1beta3 means what kubeadm makes of it', () => {
  const { notes, ...ours } = parse(stream(CLUSTER, OLD));
  const { notes: _, ...theirs } = parse(stream(CLUSTER, BY_KUBEADM));
  expect(ours).toEqual(theirs);
  expect(notes).toContain(
    'InitConfiguration: kubeadm.k8s.io/v1beta3 is deprecated and was read as kubeadm.k8s.io/v1beta4; `keelson config migrate` rewrites it',
  );
});

test('the migrated text means the same, keeps comments and other documents, and needs no second migration', () => {
  const { text, notes } = migrateConfig(stream(CLUSTER, OLD));
  expect(notes).toHaveLength(5);
  for (const comment of [
    '# The cluster of the example.',
    '# the load balancer',
    '# verbose',
    '# who did what',
  ]) {
    expect(text).toContain(comment);
  }
  expect(text.split('---\n')).toHaveLength(4);
  expect(text.startsWith('apiVersion: keelson.dev/v1alpha1\nkind: Cluster\n')).toBe(true);
  const { notes: left, ...migrated } = parse(text);
  const { notes: _, ...original } = parse(stream(CLUSTER, OLD));
  expect(migrated).toEqual(original);
  expect(left).toEqual([
    'JoinConfiguration: discovery is ignored; each host that joins gets a token of its own',
  ]);
  expect(migrateConfig(text)).toEqual({ text, notes: [] });
});

test('a timeout moves to an InitConfiguration that is added for it', () => {
  const text = KUBEADM.replace('v1beta4', 'v1beta3').concat('apiServer: {timeoutForControlPlane: 9m}\n');
  const documents = parseAllDocuments(migrateConfig(text).text).map((document) => document.toJS());
  expect(documents).toEqual([
    expect.objectContaining({ apiVersion: 'kubeadm.k8s.io/v1beta4', apiServer: {} }),
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'InitConfiguration',
      timeouts: { controlPlaneComponentHealthCheck: '9m' },
    },
  ]);
  expect(parse(stream(CLUSTER, text)).init.timeouts.controlPlaneComponentHealthCheck).toBe('9m0s');
});

test('problems in v1beta3 documents are shown where they stand in the text', () => {
  const old = KUBEADM.replace('v1beta4', 'v1beta3');
  const text = stream(CLUSTER, `${old}apiServer:\n  extraArgs:\n    v: 2\n  timeoutForControlPlane: 9\n`);
  expect(errorOf(text).message.split('\n')).toEqual([
    'c.yaml:15:8 apiServer.extraArgs[0].value: expected a string, found 2: quote it',
    'c.yaml:16:27 timeouts.controlPlaneComponentHealthCheck: expected a string, found 9: quote it',
  ]);
});

test('text of today is left alone', () => {
  const text = stream(CLUSTER, KUBEADM);
  expect(migrateConfig(text)).toEqual({ text, notes: [] });
});

test('text that is no YAML is refused', () => {
  expect(() => migrateConfig('a: [', 'f.yaml')).toThrow('f.yaml:1:5');
});
