import { describe, expect, it } from 'vitest';
import type { EtcdMember } from '../../../../src/cluster/etcd.js';
import type { ReadResult } from '../../../../src/host/types.js';
import { joinEtcd } from '../../../../src/phases/etcd/join.js';
import { renderedFor } from '../../../../src/phases/rendered.js';
import { clusterOfThree, fakeSession } from '../../workflows/fixture.js';

const MANIFEST = '/etc/kubernetes/manifests/etcd.yaml';
const PEERS = [
  { name: 'cp1', peerURL: 'https://10.0.0.1:2380' },
  { name: 'cp2', peerURL: 'https://10.0.0.3:2380' },
];

const member = (name: string, peerURL: string, learner = false): EtcdMember => ({
  id: name,
  name,
  peerURLs: [peerURL],
  clientURLs: [],
  learner,
});
const CP1 = member('cp1', 'https://10.0.0.1:2380');

const EMPTY: ReadResult = { files: new Map(), units: new Map(), probes: new Map() };

/** What etcd/join would do on cp2, with these members and with or without a manifest there. */
function actions(members: readonly EtcdMember[] | null, options: { manifest: boolean }): string[] {
  const { context } = fakeSession(clusterOfThree());
  context.members.seen(members);
  const manifest = renderedFor(context, 'cp2', EMPTY, { initialCluster: PEERS }).get(MANIFEST);
  if (manifest === undefined) throw new Error('nothing was rendered');
  const content = Buffer.from(manifest.content);
  const state = {
    path: MANIFEST,
    type: 'file' as const,
    mode: 0o600,
    owner: 'root:root',
    size: content.length,
    mtime: '0',
    content,
  };
  const seen = options.manifest ? { ...EMPTY, files: new Map([[MANIFEST, state]]) } : EMPTY;
  return joinEtcd
    .plan(context, 'cp2', seen)
    .changes.map((change) => (change.kind === 'action' ? change.name : change.kind));
}

describe('etcd/join', () => {
  it('adds a host that etcd does not know', () => {
    expect(actions([CP1], { manifest: false })).toEqual(['join']);
    expect(actions(null, { manifest: false })).toEqual(['join']);
  });

  it('leaves a voter alone, with the initial cluster that it once joined', () => {
    expect(actions([CP1, member('cp2', 'https://10.0.0.3:2380')], { manifest: true })).toEqual([]);
  });

  it('takes the manifest at its word while etcd does not answer', () => {
    expect(actions(null, { manifest: true })).toEqual([]);
  });

  it('promotes the learner that an interrupted join left, also before it has started', () => {
    expect(actions([CP1, member('cp2', 'https://10.0.0.3:2380', true)], { manifest: true })).toEqual([
      'promote',
    ]);
    expect(actions([CP1, member('', 'https://10.0.0.3:2380', true)], { manifest: true })).toEqual([
      'promote',
    ]);
  });

  it('goes on with a member that was added and whose manifest was never written', () => {
    expect(actions([CP1, member('', 'https://10.0.0.3:2380', true)], { manifest: false })).toEqual(['join']);
  });

  it('joins anew where the member was taken out', () => {
    expect(actions([CP1], { manifest: true })).toEqual(['join']);
  });

  it('knows a member by its name too, where the host was readdressed', () => {
    expect(actions([CP1, member('cp2', 'https://10.9.9.9:2380')], { manifest: true })).toEqual([]);
  });
});
