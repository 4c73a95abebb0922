import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  drift,
  type E2eLab,
  etcdMembers,
  keelson,
  labDown,
  labUp,
  onNode,
  succeed,
  voters,
} from '../e2e/support.js';
import { expectNothingToPlan, figure, withHosts } from './support.js';
import { lostWrites, startWriter, type Writer } from './writer.js';

const NAME = 'longnode';

interface Member {
  name: string;
  isLeader: boolean;
}

describe('control planes that come and go', () => {
  let lab: E2eLab;
  let original: string;
  beforeAll(async () => {
    const shape = ['--control-planes', '4', '--workers', '1', '--endpoint', 'keepalived-haproxy'];
    lab = await labUp(NAME, ...shape, '--no-cluster');
    original = readFileSync(lab.clusterFile, 'utf8');
    only('cp1', 'cp2', 'cp3');
    await succeed('apply', '-c', lab.clusterFile);
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', lab.kubeconfig);
  });
  afterAll(() => labDown(NAME));

  /** The file with these control planes, in its own order, and the worker. */
  function only(...planes: string[]): void {
    writeFileSync(lab.clusterFile, withHosts(original, /^cp/, planes));
  }
  const etcd = async () =>
    JSON.parse(await succeed('etcd', 'status', '-c', lab.clusterFile, '-o', 'json')) as { members: Member[] };
  /** API servers that the HAProxy of a host sends to. */
  const balanced = async (on: string) =>
    (await onNode(lab, on, "sed -n 's/^ *server \\([^ ]*\\) .*/\\1/p' /etc/haproxy/keelson.cfg | sort -u"))
      .trim()
      .split('\n');
  const nodes = async (on: string) =>
    (await onNode(lab, on, 'kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes -o name'))
      .split('\n')
      .sort();

  it('are replaced one after the other, the first included, while something writes', async () => {
    const writer: Writer = await startWriter(lab, 'replace');
    let here = ['cp1', 'cp2', 'cp3'];
    for (const [old, fresh] of [
      ['cp1', 'cp4'],
      ['cp2', 'cp1'],
      ['cp3', 'cp2'],
    ] as const) {
      only(...here, fresh);
      await succeed('node', 'replace', old, fresh, '-c', lab.clusterFile);
      here = [...here.filter((name) => name !== old), fresh].sort();
      expect((await etcd()).members.map((member) => member.name)).toEqual(here);
      expect(await nodes(fresh)).toEqual([...here.map((name) => `node/${name}`), 'node/w1']);
      for (const node of here) expect(await balanced(node)).toEqual(here);
      await expectNothingToPlan(lab);
    }
    await writer.next(30_000);
    const written = await writer.stop();
    figure(`longest pause of ${written.acknowledged.length} acknowledged writes`, written.longestGapMs);
    expect(await lostWrites(lab, 'replace', written)).toEqual([]);
  });

  it('are not reset at the price of the quorum', async () => {
    only('cp1', 'cp2', 'cp4');
    await succeed('lab', 'stop', 'cp4', '--name', NAME);
    const status = await keelson(['etcd', 'status', '-c', lab.clusterFile]);
    expect(status.exitCode).toBe(6);
    expect(status.stdout).toContain('cp4 does not answer');
    const refused = await keelson(['reset', '--host', 'cp2', '--yes', '-c', lab.clusterFile]);
    expect(refused.exitCode, refused.stderr).toBe(4);
    expect(refused.stderr).toContain('without cp2 etcd would lose its quorum');
    expect(await etcdMembers(lab, 'cp1')).toEqual(voters('cp1', 'cp2', 'cp4'));
  });

  it('leave when they are dead, and the others go on', async () => {
    await succeed('node', 'remove', 'cp4', '--unreachable', '-c', lab.clusterFile);
    expect(await etcdMembers(lab, 'cp1')).toEqual(voters('cp1', 'cp2'));
    expect(await nodes('cp1')).toEqual(['node/cp1', 'node/cp2', 'node/w1']);
  });

  it('are replaced when they are dead, the old one going first', async () => {
    // cp4 is switched on with what it had, and reset before it is used again.
    await succeed('lab', 'start', 'cp4', '--name', NAME);
    only('cp1', 'cp2', 'cp4');
    await succeed('reset', '--host', 'cp4', '--yes', '-c', lab.clusterFile);
    await succeed('apply', '-c', lab.clusterFile);
    await succeed('lab', 'stop', 'cp1', '--name', NAME);
    only('cp1', 'cp2', 'cp3', 'cp4');
    await succeed('node', 'replace', 'cp1', 'cp3', '--unreachable', '-c', lab.clusterFile);
    expect(await etcdMembers(lab, 'cp2')).toEqual(voters('cp2', 'cp3', 'cp4'));
    expect(await nodes('cp2')).toEqual(['node/cp2', 'node/cp3', 'node/cp4', 'node/w1']);
    expect(await drift(lab)).toEqual([]);
    await succeed('lab', 'start', 'cp1', '--name', NAME);
    only('cp1', 'cp2', 'cp3', 'cp4');
    await succeed('reset', '--host', 'cp1', '--yes', '-c', lab.clusterFile);
    only('cp2', 'cp3', 'cp4');
    for (const name of ['cp3', 'cp4']) await succeed('node', 'remove', name, '-c', lab.clusterFile);
  });

  it('become one and three again', async () => {
    expect(await etcdMembers(lab, 'cp2')).toEqual(voters('cp2'));
    expect(await drift(lab)).toEqual([]);
    only('cp1', 'cp2', 'cp3');
    await succeed('apply', '-c', lab.clusterFile);
    expect(await etcdMembers(lab, 'cp2')).toEqual(voters('cp1', 'cp2', 'cp3'));
    const file = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(lab.clusterFile, file.replaceAll(/name: (cp[13])\n/g, 'name: $1\n      state: absent\n'));
    await succeed('apply', '-c', lab.clusterFile);
    expect(await etcdMembers(lab, 'cp2')).toEqual(voters('cp2'));
    expect(await nodes('cp2')).toEqual(['node/cp2', 'node/w1']);
    await expectNothingToPlan(lab);
  });
});
