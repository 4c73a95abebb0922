import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type E2eLab,
  etcdMembers,
  keelson,
  kubectl,
  labDown,
  labUp,
  onNode,
  succeed,
  voters,
  WORK,
} from '../e2e/support.js';
import { lostWrites, startWriter, type Written } from './writer.js';

const PLANES = ['cp1', 'cp2', 'cp3'];
const NAME = 'longetcd';
const WRITE_MS = 60_000;

describe('etcd of three control planes, lost and brought back', () => {
  let lab: E2eLab;
  let snapshots: string;
  let written: Written;
  beforeAll(async () => {
    lab = await labUp(NAME, '--control-planes', '3', '--workers', '0');
    snapshots = join(WORK, 'snapshots');
  });
  afterAll(() => labDown(NAME));

  const snapshot = () => {
    const [newest] = readdirSync(snapshots).sort().reverse();
    if (newest === undefined) throw new Error('there is no snapshot');
    return join(snapshots, newest);
  };

  /** Writes some, and stops. */
  async function write(prefix: string, count: number): Promise<Written> {
    const writer = await startWriter(lab, prefix);
    while (writer.count() < count) await writer.next(WRITE_MS);
    return writer.stop();
  }

  /** As a disk that was replaced: no data, and no manifest that would start etcd without it. */
  const lose = (node: string) =>
    onNode(
      lab,
      node,
      'rm -f /etc/kubernetes/manifests/etcd.yaml; while pidof etcd >/dev/null; do sleep 0.1; done; rm -rf /var/lib/etcd/member',
    );

  async function whole(): Promise<void> {
    for (const node of PLANES) expect(await etcdMembers(lab, node)).toEqual(voters(...PLANES));
    const ready = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}';
    await kubectl(lab, 'wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=120s');
    const nodes = await kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${ready}`);
    expect(nodes.trim().split(' ')).toEqual(PLANES.map(() => 'True'));
  }

  it('has in a snapshot everything that was acknowledged before it', async () => {
    written = await write('kept', 50);
    await succeed('etcd', 'snapshot', '-c', lab.clusterFile, '--to', snapshots);
    const later = await write('late', 10);
    expect(await lostWrites(lab, 'late', later)).toEqual([]);
  });

  it('is as it was at the snapshot after all three data directories were destroyed', async () => {
    await Promise.all(PLANES.map((node) => lose(node)));
    await succeed('etcd', 'restore', snapshot(), '-c', lab.clusterFile, '--yes');
    await whole();
    expect(await lostWrites(lab, 'kept', written)).toEqual([]);
    expect(await kubectl(lab, 'get', 'configmaps', '-l', 'writer=late', '-o', 'name')).toBe('');
  });

  it('is restored also where the restore was killed again and again', async () => {
    const before = await write('gone', 5);
    for (const seconds of [3, 5, 8]) {
      const restore = ['etcd', 'restore', snapshot(), '-c', lab.clusterFile, '--yes'];
      await keelson(restore, { signal: AbortSignal.timeout(seconds * 1000) });
    }
    await succeed('etcd', 'restore', snapshot(), '-c', lab.clusterFile, '--yes');
    await whole();
    expect(await lostWrites(lab, 'kept', written)).toEqual([]);
    expect((await lostWrites(lab, 'gone', before)).length).toBe(before.acknowledged.length);
  });

  it('goes on from the member that is left when two of three are lost, and regrows', async () => {
    const last = await write('last', 20);
    await Promise.all(['cp2', 'cp3'].map(lose));
    const plan = await keelson(['etcd', 'recover', '-c', lab.clusterFile, '--dry-run']);
    expect(plan.stdout).toMatch(/cp1 +running.*freshest/);
    await succeed('etcd', 'recover', '-c', lab.clusterFile, '--yes');
    await whole();
    expect(await lostWrites(lab, 'last', last)).toEqual([]);
    expect(await lostWrites(lab, 'kept', written)).toEqual([]);
  });

  it('is defragmented, and backed up with all that belongs to it', async () => {
    const { members } = JSON.parse(await succeed('etcd', 'defrag', '-c', lab.clusterFile, '-o', 'json')) as {
      members: { name: string; before: number; after: number }[];
    };
    expect(members.map(({ name }) => name).sort()).toEqual(PLANES);
    for (const { before, after } of members) expect(after).toBeLessThanOrEqual(before);
    const phrase = join(WORK, 'passphrase');
    writeFileSync(phrase, 'correct horse battery staple\n');
    const file = join(WORK, 'backup.age');
    await succeed('backup', '-c', lab.clusterFile, '--out', file, '--passphrase-file', phrase);
    const report = JSON.parse(
      await succeed('backup', 'verify', file, '--passphrase-file', phrase, '-o', 'json'),
    ) as { problems: string[]; objects: Record<string, number>; files: string[] };
    expect(report.problems).toEqual([]);
    expect(report.objects.minions).toBe(3);
    expect(report.files).toContain('objects/kube-system/kubeadm-config.json');
    const again = await keelson([
      'backup',
      '-c',
      lab.clusterFile,
      '--out',
      file,
      '--passphrase-file',
      phrase,
    ]);
    expect(again.exitCode).toBe(8);
  });

  it('has nothing to recover while it has its quorum, and nothing left to plan', async () => {
    const refused = await keelson(['etcd', 'recover', '-c', lab.clusterFile, '--yes']);
    expect(refused.exitCode).toBe(8);
    expect(refused.stderr).toContain('etcd has its quorum');
    const result = await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode']);
    expect(result.stdout).toContain('Nothing to change');
  });

  it('goes on without two machines that are gone, once they are given up', async () => {
    const before = await write('alone', 10);
    await Promise.all(['cp2', 'cp3'].map((node) => succeed('lab', 'stop', node, '--name', NAME)));
    const recover = ['etcd', 'recover', '-c', lab.clusterFile, '--yes'];
    const refused = await keelson(recover);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('cut their power and give --unreachable');
    await succeed(...recover, '--unreachable');
    expect(await etcdMembers(lab, 'cp1')).toEqual(voters('cp1'));
    expect(await lostWrites(lab, 'alone', before)).toEqual([]);
  });
});
