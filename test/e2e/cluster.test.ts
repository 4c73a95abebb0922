import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { apply, loadCluster, plan, status } from '../../src/index.js';
import {
  CONTROL_PLANE_KUBECTL,
  type E2eLab,
  keelson,
  kubectl,
  labDown,
  labUp,
  onNode,
  succeed,
} from './support.js';

interface Node {
  metadata: { name: string; labels: Record<string, string> };
  status: { conditions: { type: string; status: string }[]; nodeInfo: { kubeletVersion: string } };
}

describe('a cluster of one control plane and two workers', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2e');
  });
  afterAll(() => labDown('e2e'));

  it('has all nodes Ready with the version asked for, and every pod Running', async () => {
    const nodes = JSON.parse(await kubectl(lab, 'get', 'nodes', '-o', 'json')) as { items: Node[] };
    expect(nodes.items.map((node) => node.metadata.name).sort()).toEqual(['cp1', 'w1', 'w2']);
    for (const node of nodes.items) {
      expect(node.status.conditions.find((condition) => condition.type === 'Ready')?.status).toBe('True');
      expect(node.status.nodeInfo.kubeletVersion).toBe('v1.36.3');
    }
    const phases = await kubectl(lab, 'get', 'pods', '-A', '-o', 'jsonpath={.items[*].status.phase}');
    expect(new Set(phases.split(' '))).toEqual(new Set(['Running']));
  });

  it('has nothing left to plan, and apply changes nothing', async () => {
    const plan = await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode']);
    expect(plan.stdout).toContain('Nothing to change');
    expect(plan.exitCode).toBe(0);
    const apply = JSON.parse(await succeed('apply', '-c', lab.clusterFile, '-o', 'json')) as {
      changed: number;
    };
    expect(apply.changed).toBe(0);
  });

  it.each([
    [
      'other ranges of addresses',
      (file: string) => file.replace('10.244.0.0/16', '10.245.0.0/16'),
      /networking\.podSubnet 10\.245\.0\.0\/16: nodes have other ranges: cp1 10\.244\.\d\.0\/24, w1 .*, w2 /,
    ],
    [
      'nodes by each other’s names',
      (file: string) =>
        file.replace(/name: w[12]$/gm, (text) => (text.endsWith('1') ? 'name: w2' : 'name: w1')),
      /w2: the machine at \S+ is the node w1, not w2\n.*w1: the machine at \S+ is the node w2, not w1/,
    ],
    [
      'other places of keys and data',
      (file: string) =>
        file.replace(
          /^kind: ClusterConfiguration$/m,
          '$&\ncertificatesDir: /etc/pki/x\netcd: {local: {dataDir: /srv/etcd}}',
        ),
      /etcd's data is in \/var\/lib\/etcd, dataDir is \/srv\/etcd\n.*certificates are in \/etc\/kubernetes\/pki/,
    ],
  ])('is no cluster of a file with %s', async (_, change, message) => {
    const file = join(dirname(lab.clusterFile), 'other.yaml');
    const text = await readFile(lab.clusterFile, 'utf8');
    expect(change(text)).not.toBe(text);
    await writeFile(file, change(text));
    for (const command of ['plan', 'apply']) {
      const refused = await keelson([command, '-c', file]);
      expect(refused.exitCode).toBe(8);
      expect(refused.stderr).toMatch(message);
    }
  });

  it('is seen by the library as by the command line, without a word printed', async () => {
    const cluster = await loadCluster(lab.clusterFile);
    const events: string[] = [];
    const printed = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')];
    const planned = await plan(cluster, { onEvent: (event) => void events.push(event.type) });
    const applied = await apply(cluster, { plan: planned, signal: AbortSignal.timeout(120_000) });
    const calls = printed.flatMap((spy) => spy.mock.calls);
    for (const spy of printed) spy.mockRestore();
    expect(calls).toEqual([]);
    expect(planned.tasks.flatMap((task) => task.changes)).toEqual([]);
    expect(applied.changed).toBe(0);
    expect(events).toContain('task-planned');
    expect((await status(cluster)).hosts.map((host) => host.name)).toEqual(['cp1', 'w1', 'w2']);
  });

  it('satisfies kubeadm’s own checks of certificates and tokens', async () => {
    const expiration = await onNode(lab, 'cp1', 'kubeadm certs check-expiration');
    for (const name of ['admin.conf', 'apiserver', 'etcd-peer', 'front-proxy-client', 'super-admin.conf']) {
      expect(expiration).toMatch(new RegExp(`^${name}\\s+.*\\s(364|365)d`, 'm'));
    }
    expect(expiration).not.toContain('MISSING');
    await succeed(
      'token',
      'create',
      'abcdef.0123456789abcdef',
      '-c',
      lab.clusterFile,
      '--description',
      'by hand',
    );
    expect(await onNode(lab, 'cp1', 'kubeadm token list')).toMatch(
      /abcdef\.0123456789abcdef.*authentication,signing.*by hand/,
    );
    await succeed('token', 'delete', 'abcdef', '-c', lab.clusterFile);
    expect(await onNode(lab, 'cp1', 'kubeadm token list')).not.toContain('abcdef');
  });

  it('finds and repairs what somebody changed by hand', async () => {
    await onNode(lab, 'w1', 'echo "# by hand" >> /var/lib/kubelet/config.yaml');
    await onNode(lab, 'cp1', `${CONTROL_PLANE_KUBECTL} -n kube-system delete configmap kubelet-config`);
    const plan = await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode']);
    expect(plan.exitCode).toBe(10);
    expect(plan.stdout).toContain('-# by hand');
    expect(plan.stdout).toContain('+ ConfigMap kube-system/kubelet-config');
    await succeed('apply', '-c', lab.clusterFile);
    expect((await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode'])).exitCode).toBe(0);
    expect(await onNode(lab, 'w1', 'tail -n 1 /var/lib/kubelet/config.yaml')).not.toContain('by hand');
  });

  it('passes verify, pods rescheduled from a stopped kubelet included', async () => {
    const result = await keelson(['verify', '-c', lab.clusterFile, '--reschedule', '-o', 'json']);
    expect(result.exitCode, `${result.stdout}\n${result.stderr}`).toBe(0);
    const namespaces = await kubectl(lab, 'get', 'namespaces', '-o', 'name');
    expect(namespaces).not.toContain('keelson-verify');
  });

  it('lets kubeadm join a worker by hand with a token of keelson’s', async () => {
    // kubeadm reset leaves the network's own state, and the node gets another pod subnet when it is back.
    const network = 'rm -rf /etc/cni/net.d/* /run/flannel; ip link delete cni0; ip link delete flannel.1';
    await onNode(lab, 'w2', `kubeadm reset -f && { ${network}; true; }`);
    await kubectl(lab, 'delete', 'node', 'w2');
    const join = await succeed('token', 'create', '-c', lab.clusterFile, '--print-join-command');
    await onNode(lab, 'w2', `${join.trim()} --ignore-preflight-errors=SystemVerification`);
    await kubectl(lab, 'wait', '--for=create', 'node/w2', '--timeout=60s');
    await kubectl(lab, 'wait', '--for=condition=Ready', 'node/w2', '--timeout=120s');
    const result = await keelson(['verify', '-c', lab.clusterFile]);
    expect(result.exitCode, `${result.stdout}\n${result.stderr}`).toBe(0);
  });
});
