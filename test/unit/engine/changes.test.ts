import { expect, it } from 'vitest';
import { type Effects, executeChanges } from '../../../src/engine/changes.js';
import type { Change, FileChange } from '../../../src/engine/types.js';
import { createFakeHost, type FakeHost } from '../../fakes/fake-host.js';

const text = (path: string, content = path): FileChange => ({
  kind: 'file',
  op: 'create',
  path,
  mode: 0o600,
  content: { kind: 'text', text: content },
  reason: '',
});

async function execute(changes: readonly Change[], more: Partial<Effects> = {}, stopAfter = Infinity) {
  const host: FakeHost = createFakeHost({ units: { 'kubelet.service': {} } });
  const log: string[] = [];
  let finished = 0;
  await executeChanges({
    host: 'fake',
    changes,
    effects: {
      host: () => host,
      secret: async (artefact) => Buffer.from(`secret of ${artefact}`),
      blobPath: (sha256) => `/bundle/${sha256}`,
      importImages: async (_host, images) => void log.push(`import ${images.map((i) => i.reference).join()}`),
      applyObjects: async (objects) => void log.push(`objects ${objects.map((o) => o.name).join()}`),
      ...more,
    },
    action: async (change) => void log.push(`action ${change.name}`),
    onStart: () => {},
    onFinish: () => {
      finished += 1;
    },
    stopped: () => finished >= stopAfter,
  });
  return { host, log, calls: host.calls.map(({ kind, what }) => `${kind} ${what}`) };
}

it('puts neighbouring files as one stream, and keeps the order around services and removals', async () => {
  const { calls } = await execute([
    text('/a'),
    text('/b'),
    { kind: 'service', op: 'restart', unit: 'kubelet.service', reason: '' },
    text('/c'),
    { kind: 'file', op: 'remove', path: '/d', mode: 0, reason: '' },
    { kind: 'file', op: 'remove', path: '/e', mode: 0, reason: '' },
  ]);
  expect(calls).toEqual(['put /a /b', 'service restart kubelet.service', 'put /c', 'remove /d /e']);
});

it('installs neighbouring packages together', async () => {
  const install = (name: string): Change => ({ kind: 'package', op: 'install', name, reason: '' });
  const host = createFakeHost();
  host.on(/^<packages/, {});
  await execute([install('haproxy'), install('keepalived')], { host: () => host });
  expect(host.calls.map(({ what }) => what)).toEqual(['<packages/install> install haproxy keepalived']);
});

it('imports neighbouring images and applies neighbouring objects together, and runs actions one by one', async () => {
  const image = (reference: string): Change => ({
    kind: 'image',
    reference,
    digest: 'sha256:0',
    size: 1,
    reason: '',
  });
  const object = (name: string): Change => ({
    kind: 'object',
    op: 'create',
    apiVersion: 'v1',
    objectKind: 'ConfigMap',
    namespace: '',
    name,
    reason: '',
  });
  const action = (name: string): Change => ({ kind: 'action', name, summary: '' });
  const { log } = await execute([image('a'), image('b'), action('x'), action('x'), object('c'), object('d')]);
  expect(log).toEqual(['import a,b', 'action x', 'action x', 'objects c,d']);
});

it('asks for a secret only when it is written, and writes it with the mode of the change', async () => {
  const asked: string[] = [];
  const secret: Change = {
    ...text('/etc/kubernetes/pki/ca.key'),
    content: { kind: 'secret', artefact: 'trust:cp1:ca.key', summary: 'private key' },
  };
  const { host } = await execute([secret], {
    secret: async (artefact) => {
      asked.push(artefact);
      return Buffer.from('KEY');
    },
  });
  expect(asked).toEqual(['trust:cp1:ca.key']);
  expect(host.files.get('/etc/kubernetes/pki/ca.key')).toMatchObject({
    content: Buffer.from('KEY'),
    mode: 0o600,
  });
});

it('stops before the next change when asked', async () => {
  const action = (name: string): Change => ({ kind: 'action', name, summary: '' });
  await expect(execute([action('one'), action('two')], {}, 1)).rejects.toMatchObject({ code: 'ABORTED' });
});

it('takes a file change without content for a bug', async () => {
  const { content: _content, ...empty } = text('/a');
  await expect(execute([empty])).rejects.toMatchObject({ code: 'BUG' });
});

it('takes binaries from the host’s own store before it sends any', async () => {
  const host = createFakeHost();
  host.on(/^</, {});
  host.on(/flock/, {});
  const content = { kind: 'blob', sha256: 'aa', size: 0 } as const;
  const change: FileChange = {
    kind: 'file',
    op: 'update',
    path: '/usr/bin/kubelet',
    mode: 0o755,
    content,
    reason: '',
  };
  const calls = () => host.calls.map(({ kind, what }) => `${kind} ${what}`);
  await execute([change], { host: () => host, blobPath: () => '/dev/null' });
  expect(calls().slice(0, 2)).toEqual([
    'script <store/take> aa 755 /usr/bin/kubelet',
    'put /usr/bin/kubelet',
  ]);
});
