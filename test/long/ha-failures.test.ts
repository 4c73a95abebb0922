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
} from '../e2e/support.js';
import { expectNothingToPlan, figure, PLANES } from './support.js';
import { lostWrites, startWriter, type Writer } from './writer.js';

const OTHERS = ['w1', 'w2'];
/** Until another leader is elected and an API server has noticed; the issue's own bound. */
const TAKEOVER_MS = 30_000;
/** Until a machine that was switched on again has everything running. */
const RECOVERY_MS = 300_000;
const NAME = 'longha';

describe('three control planes and two workers, while something writes all the time', () => {
  let lab: E2eLab;
  let writer: Writer;
  beforeAll(async () => {
    lab = await labUp(NAME, '--control-planes', '3', '--workers', '2');
    writer = await startWriter(lab, 'all');
  });
  afterAll(() => labDown(NAME));

  const power = (op: 'stop' | 'start', node: string) => succeed('lab', op, node, '--name', NAME);

  /** The control plane whose etcd leads. */
  async function leader(): Promise<string> {
    const asked = await Promise.all(
      PLANES.map(async (node) => {
        const script = 'curl -s -m 5 http://127.0.0.1:2381/metrics | grep "^etcd_server_is_leader 1"; true';
        return [node, (await onNode(lab, node, script)) !== ''] as const;
      }),
    );
    const found = asked.find(([, leads]) => leads)?.[0];
    if (found === undefined) throw new Error('etcd has no leader');
    return found;
  }

  /** Waits until every API server is ready, every node is Ready, and etcd has all its members. */
  async function healthy(): Promise<void> {
    const deadline = performance.now() + RECOVERY_MS;
    let last = '';
    while (performance.now() < deadline) {
      try {
        for (const node of PLANES) await onNode(lab, node, 'curl -skf -m 5 https://localhost:6443/readyz');
        const ready = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}';
        const nodes = await kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${ready}`);
        expect(nodes.trim().split(' ')).toEqual([...PLANES, ...OTHERS].map(() => 'True'));
        for (const node of PLANES) expect(await etcdMembers(lab, node)).toEqual(voters(...PLANES));
        return;
      } catch (error) {
        last = String(error);
      }
    }
    throw new Error(`not healthy after ${RECOVERY_MS} ms: ${last}`);
  }

  it('goes on when the leading etcd is killed', async () => {
    await onNode(lab, await leader(), 'pkill -9 -x etcd');
    figure('next write after the leading etcd was killed', await writer.next(TAKEOVER_MS));
    await healthy();
  });

  it('goes on when an API server is killed', async () => {
    await onNode(lab, 'cp1', 'pkill -9 -x kube-apiserver');
    figure('next write after an API server was killed', await writer.next(TAKEOVER_MS));
    await healthy();
  });

  it('goes on when the power of the leader’s machine fails, and takes it back', async () => {
    const node = await leader();
    await power('stop', node);
    figure('next write after the leader lost its power', await writer.next(TAKEOVER_MS));
    await power('start', node);
    await healthy();
  });

  it.each([
    ['receives nothing from the others', 'INPUT -s'],
    ['can send nothing to the others', 'OUTPUT -d'],
  ])('goes on while the leader %s', async (_, rule) => {
    await partition(await leader(), [rule]);
  });

  it('goes on while the leader and the others are cut off from each other', async () => {
    await partition(await leader(), ['INPUT -s', 'OUTPUT -d']);
  });

  async function partition(node: string, rules: readonly string[]): Promise<void> {
    const others = PLANES.filter((name) => name !== node);
    const each = (op: string) =>
      rules.flatMap((rule) => {
        const [chain, side] = rule.split(' ');
        return others.map((other) => `iptables ${op} ${chain} ${side} ${other} -j DROP`);
      });
    await onNode(lab, node, each('-I').join(' && '));
    try {
      figure(`next write after a partition (${rules.join(', ')})`, await writer.next(TAKEOVER_MS));
      // Long enough for every connection that was open to have been given up.
      await writer.next(TAKEOVER_MS);
    } finally {
      await onNode(lab, node, each('-D').join('; '));
    }
    await healthy();
  }

  it('acknowledges nothing while two of three are gone, says why, and comes back with them', async () => {
    await power('stop', 'cp2');
    await power('stop', 'cp3');
    await expect(writer.next(20_000)).rejects.toThrow('no write was acknowledged');
    const status = await keelson(['status', '-c', lab.clusterFile]);
    expect(status.stdout).toMatch(/cp2[^\n]*unreachable/);
    expect(status.stdout).toMatch(/etcd/);
    const apply = await keelson(['apply', '-c', lab.clusterFile]);
    expect(apply.exitCode).toBe(5);
    await Promise.all([power('start', 'cp2'), power('start', 'cp3')]);
    figure('next write after two of three were started again', await writer.next(RECOVERY_MS));
    await healthy();
  });

  it('comes back when all machines lost their power at once', async () => {
    await Promise.all([...PLANES, ...OTHERS].map((node) => power('stop', node)));
    await Promise.all([...PLANES, ...OTHERS].map((node) => power('start', node)));
    figure('next write after all machines were started again', await writer.next(RECOVERY_MS));
    await healthy();
  });

  it('has lost none of the writes that were acknowledged, and has nothing left to plan', async () => {
    const written = await writer.stop();
    expect(written.acknowledged.length).toBeGreaterThan(100);
    expect(await lostWrites(lab, 'all', written)).toEqual([]);
    figure(`longest pause of ${written.acknowledged.length} acknowledged writes`, written.longestGapMs);
    await expectNothingToPlan(lab);
  });
});
