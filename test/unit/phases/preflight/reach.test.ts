import { describe, expect, it } from 'vitest';
import type { Subject } from '../../../../src/phases/preflight/check.js';
import { flowsOf, judgeReach, reachRequest } from '../../../../src/phases/preflight/reach.js';
import { CP1, CP2, config, host, W1 } from '../../manifests/fixture.js';
import { one, problems, type Scene, seen, subject } from './support.js';

const endpoint = config({}, { controlPlaneEndpoint: `${CP1.nodeIP}:6443` });
const scene = (of: typeof CP1, more: Scene = {}) => subject({ config: endpoint, host: of, ...more });
const trio = (more: Scene = {}) => [scene(CP1, more), scene(CP2, more), scene(W1, more)];
const flows = (from: Subject, all: readonly Subject[]) =>
  flowsOf(from, all).map(({ to, port }) => `${to}:${port}`);

function judged(from: Subject, all: readonly Subject[], said: string) {
  return judgeReach(from, all, seen({ reach: said }));
}

describe('connections to try', () => {
  it('are those that the roles need', () => {
    const [cp1, cp2, w1] = trio() as [Subject, Subject, Subject];
    const all = [cp1, cp2, w1];
    expect(flows(cp1, all)).toEqual(['cp2:6443', 'cp2:2380', 'cp2:10250', 'w1:10250']);
    expect(flows(w1, all)).toEqual(['cp1:6443', 'cp2:6443']);
  });

  it('are those of etcd on hosts of its own', () => {
    const etcd = ['10.88.0.5', '10.88.0.6'].map((address, i) => host(`etcd${i + 1}`, 'etcd', address));
    const apart = config({}, { ...endpoint.cluster, etcd: { members: { dataDir: '/d' } } });
    const all = [CP1, W1, ...etcd].map((of) => subject({ config: apart, host: of }));
    const [cp1, w1, etcd1] = all as [Subject, Subject, Subject];
    expect(flows(cp1, all)).toEqual(['w1:10250', 'etcd1:2379', 'etcd2:2379']);
    expect(flows(w1, all)).toEqual(['cp1:6443']);
    expect(flows(etcd1, all)).toEqual(['etcd2:2380']);
  });

  it('are none among members', () => {
    const all = trio({ member: true });
    expect(all.map((from) => reachRequest(from, all))).toEqual([null, null, null]);
  });

  it('are those with a newcomer', () => {
    const all = [scene(CP1, { member: true }), scene(CP2, { member: true }), scene(W1)];
    expect(all.map((from) => flows(from, all))).toEqual([
      ['w1:10250'],
      ['w1:10250'],
      ['cp1:6443', 'cp2:6443'],
    ]);
  });

  it('stay few where hosts are many', () => {
    const workers = Array.from({ length: 50 }, (_, i) => scene(host(`w${i}`, 'worker', `10.88.1.${i + 1}`)));
    const all = [scene(CP1), ...workers];
    const [, , third] = all;
    if (third === undefined) throw new Error('no worker');
    expect(flows(third, all)).toEqual(['w2:10250', 'w3:10250', 'w4:10250', 'w5:10250', 'cp1:6443']);
  });

  it('include an endpoint that is none of the hosts', () => {
    const balanced = config({}, { controlPlaneEndpoint: 'api.example.com' });
    const all = [subject({ config: balanced })];
    expect(flowsOf(all[0] as Subject, all)).toMatchObject([{ address: 'api.example.com', port: 6443 }]);
  });
});

describe('reachability', () => {
  const all = trio();
  const [cp1, , w1] = all as [Subject, Subject, Subject];

  it('is given where a port answers, also by refusing', () => {
    const said = 'tcp cp2 6443 refused\ntcp cp2 2380 open\ntcp cp2 10250 refused\ntcp w1 10250 open\n';
    expect(problems(judged(cp1, all, said))).toEqual([]);
  });

  it('lacks where packets are dropped or there is no route', () => {
    const outcomes = judged(w1, all, 'tcp cp1 6443 timeout\ntcp cp2 6443 unreachable\n');
    expect(problems(outcomes)).toEqual(['error EndpointReachable', 'error EndpointReachable']);
    expect(outcomes[0]?.message).toContain('no answer within 2 s');
    expect(outcomes[1]?.message).toContain('no route');
    expect(problems(judged(cp1, all, 'tcp w1 10250 timeout\n'))).toEqual(['error HostReachable']);
  });

  it('is not doubted where nothing could be tried', () => {
    expect(problems(judgeReach(cp1, all, null))).toEqual([]);
  });

  it('between workers is a warning, unless an echo comes back', () => {
    const pair = [scene(W1), scene(host('w2', 'worker', '10.88.0.22'))];
    const [from] = pair as [Subject];
    expect(problems(judged(from, pair, 'tcp w2 10250 timeout\necho w2 none\n'))).toEqual([
      'warning HostReachable',
    ]);
    expect(problems(judged(from, pair, 'tcp w2 10250 timeout\necho w2 full\n'))).toEqual([]);
  });

  it('of a virtual address is a warning until the cluster exists', () => {
    const virtual = config({}, { controlPlaneEndpoint: '10.88.0.99:6443' });
    const said = 'tcp 10.88.0.99 6443 timeout\n';
    const early = subject({ config: virtual, host: W1 });
    expect(problems(judged(early, [early], said))).toEqual(['warning EndpointReachable']);
    const late = subject({ config: virtual, host: W1, clusterExists: true });
    expect(problems(judged(late, [late], said))).toEqual(['error EndpointReachable']);
  });
});

describe('MTU', () => {
  const all = trio();
  const [cp1] = all as [Subject];
  const spec = (mtu: number) => ({
    ...endpoint,
    spec: { ...endpoint.spec, network: { ...endpoint.spec.network, mtu } as typeof endpoint.spec.network },
  });

  it('is asked for with a packet as large as the interface carries', () => {
    expect(reachRequest(cp1, all)?.probes?.reach).toContain(`echo_to w1 ${W1.nodeIP} 1472 &`);
    const narrow = trio({ config: spec(1400) });
    expect(reachRequest(narrow[0] as Subject, narrow)?.probes?.reach).toContain(`${W1.nodeIP} 1422 &`);
  });

  it('is right where such packets come through', () => {
    expect(problems(judged(cp1, all, 'echo cp2 full\necho w1 full\n'))).toEqual([]);
  });

  it('is wrong where only small packets come through', () => {
    const outcome = one(judged(cp1, all, 'echo cp2 full\necho w1 small\n'), 'MTU', 'error');
    expect(outcome.message).toBe("packets of 1500 bytes don't come through to w1");
  });

  it('is wrong where the network wants more than the interface carries', () => {
    const wide = trio({ config: spec(1451) });
    const outcome = one(judged(wide[0] as Subject, wide, ''), 'MTU', 'error');
    expect(outcome.remedy).toContain('1450');
  });

  it('warns of different interfaces where nothing answers echo requests', () => {
    const addresses = [{ interface: 'eth0', address: W1.nodeIP, prefix: 24, mtu: 9000 }];
    const mixed = [scene(CP1), scene(W1, { facts: { addresses } })];
    expect(problems(judged(mixed[0] as Subject, mixed, 'echo w1 none\n'))).toEqual(['warning MTU']);
    expect(problems(judged(mixed[0] as Subject, mixed, 'echo w1 full\n'))).toEqual([]);
  });
});
