import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from './support.js';

const NAME = 'e2enode';

/** Two pods that have to be up both, and one that nothing brings back. */
const WORKLOAD = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      containers: [{name: pause, image: "registry.k8s.io/pause:3.10.2", imagePullPolicy: IfNotPresent}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  nodeName: w2
  terminationGracePeriodSeconds: 1
  containers: [{name: pause, image: "registry.k8s.io/pause:3.10.2", imagePullPolicy: IfNotPresent}]
`;

describe('nodes of a cluster', () => {
  let lab: E2eLab;
  let original: string;
  beforeAll(async () => {
    lab = await labUp(NAME);
    original = readFileSync(lab.clusterFile, 'utf8');
  });
  afterAll(() => labDown(NAME));

  /** Gives a host of the file further fields, in place of those that an earlier call gave. */
  const withFields = (host: string, fields: string) =>
    writeFileSync(lab.clusterFile, original.replace(`name: ${host}\n`, `name: ${host}\n      ${fields}\n`));
  const nodes = async () => (await kubectl(lab, 'get', 'nodes', '-o', 'name')).split('\n').sort();
  const w1 = async () =>
    JSON.parse(await kubectl(lab, 'get', 'node', 'w1', '-o', 'json')) as {
      metadata: { labels: Record<string, string> };
      spec: { taints?: { key: string; value?: string }[] };
    };

  it('get labels and taints of the file, and lose those that are no longer in it and no others', async () => {
    await kubectl(lab, 'label', 'node', 'w1', 'by=hand');
    withFields('w1', 'labels: {disk: ssd, zone: a}\n      taints: [{key: gpu, effect: PreferNoSchedule}]');
    await succeed('apply', '-c', lab.clusterFile);
    const marked = await w1();
    expect(marked.metadata.labels).toMatchObject({ disk: 'ssd', zone: 'a', by: 'hand' });
    expect(marked.spec.taints).toEqual([{ key: 'gpu', effect: 'PreferNoSchedule' }]);
    withFields('w1', 'labels: {zone: b}');
    await succeed('apply', '-c', lab.clusterFile);
    const { metadata, spec } = await w1();
    expect(metadata.labels).toMatchObject({ zone: 'b', by: 'hand' });
    expect(metadata.labels.disk).toBeUndefined();
    expect(spec.taints).toBeUndefined();
    writeFileSync(lab.clusterFile, original);
    await succeed('apply', '-c', lab.clusterFile);
    expect(await drift(lab)).toEqual([]);
  });

  it('are drained when a disruption budget lets them be, which is named until then', async () => {
    await onNode(lab, 'cp1', `cat > /root/web.yaml << 'EOF'\n${WORKLOAD}EOF`);
    await onNode(lab, 'cp1', 'kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/web.yaml');
    await kubectl(lab, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    await kubectl(lab, 'wait', '--for=condition=Ready', 'pod/bare', '--timeout=60s');
    const refused = await keelson(['node', 'drain', 'w2', '-c', lab.clusterFile]);
    expect(refused.exitCode).toBe(8);
    expect(refused.stderr).toMatch(/default\/bare: it has no controller.*--force/);
    expect(await kubectl(lab, 'get', 'node', 'w2', '-o', 'jsonpath={.spec.unschedulable}')).toBe('');

    const late = await keelson(['node', 'drain', 'w2', '-c', lab.clusterFile, '--force', '--timeout', '3s']);
    expect(late.exitCode).toBe(7);
    expect(late.stderr).toMatch(/default\/web-\S+: The disruption budget web needs 2 healthy pods/);

    const drain = keelson(['node', 'drain', 'w2', '-c', lab.clusterFile, '--force', '--timeout', '60s']);
    let released: Promise<string> | undefined;
    drain.stderr.on('data', (chunk: Buffer) => {
      if (!chunk.toString().includes('budget web')) return;
      released ??= kubectl(lab, 'patch', 'pdb', 'web', '-p', '{"spec":{"minAvailable":1}}');
    });
    const done = await drain;
    expect(done.exitCode, done.stderr).toBe(0);
    await released;
    const left = await kubectl(lab, 'get', 'pods', '--field-selector', 'spec.nodeName=w2', '-o', 'name');
    expect(left).toBe('');
    await succeed('node', 'uncordon', 'w2', '-c', lab.clusterFile);
  });

  it('are told apart by etcd’s status: the members of control planes', async () => {
    const status = JSON.parse(await succeed('etcd', 'status', '-c', lab.clusterFile, '-o', 'json')) as {
      members: Record<string, unknown>[];
    };
    expect(status.members).toMatchObject([
      { name: 'cp1', isLeader: true, isLearner: false, alarms: [], errors: [] },
    ]);
    expect(status.members[0]?.dbSizeBytes).toBeGreaterThan(0);
  });

  it('stay where the file no longer has them, leave where it says absent, and come back', async () => {
    const block = /\n {4}- name: w2\n(?: {6}.*\n)*/;
    writeFileSync(lab.clusterFile, original.replace(block, '\n'));
    expect(await drift(lab)).toEqual([]);
    expect(await nodes()).toContain('node/w2');

    withFields('w2', 'state: absent');
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).toContain('- Node w2');
    await succeed('apply', '-c', lab.clusterFile);
    expect(await nodes()).toEqual(['node/cp1', 'node/w1']);
    await onNode(lab, 'w2', '! systemctl is-active kubelet && ! ls /etc/kubernetes');
    expect(await drift(lab)).toEqual([]);

    writeFileSync(lab.clusterFile, original);
    await succeed('join', '--host', 'w2', '-c', lab.clusterFile);
    expect(await nodes()).toEqual(['node/cp1', 'node/w1', 'node/w2']);
  });

  it('leave by node remove, a dead one only when it is said to be dead, and the file says so', async () => {
    await succeed('lab', 'stop', 'w2', '--name', NAME);
    const refused = await keelson(['node', 'remove', 'w2', '-c', lab.clusterFile]);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('keelson node remove w2 --unreachable');
    expect(await nodes()).toContain('node/w2');
    expect(readFileSync(lab.clusterFile, 'utf8')).toMatch(/name: w2\n.*\n.*\n {6}state: absent\n/);
    expect((await keelson(['apply', '-c', lab.clusterFile])).exitCode).toBe(5);

    await succeed('node', 'remove', 'w2', '--unreachable', '-c', lab.clusterFile);
    expect(await nodes()).toEqual(['node/cp1', 'node/w1']);
    await kubectl(lab, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    expect(await drift(lab)).toEqual([]);
  });
});
