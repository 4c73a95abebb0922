import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';

describe('a cluster with etcd on hosts of its own', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2etcd', '--workers', '0', '--etcd', '3');
  });
  afterAll(() => labDown('e2etcd'));

  it('has an etcd outside, which kubeadm knows as external, and nothing left to plan', async () => {
    expect(await kubectl(lab, 'get', 'nodes', '-o', 'name')).toBe('node/cp1');
    const uploaded = await kubectl(
      lab,
      ...['-n', 'kube-system', 'get', 'configmap', 'kubeadm-config', '-o', 'yaml'],
    );
    expect(uploaded).toMatch(/external:\n\s+caFile: \/etc\/kubernetes\/pki\/etcd\/ca\.crt/);
    expect(await onNode(lab, 'cp1', 'ls /etc/kubernetes/manifests /etc/kubernetes/pki/etcd')).not.toMatch(
      /etcd\.yaml|ca\.key/,
    );
    const plan = await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode']);
    expect(plan.stdout).toContain('Nothing to change');
    const { members } = JSON.parse(await succeed('etcd', 'status', '-c', lab.clusterFile, '-o', 'json')) as {
      members: { host: string; isLeader: boolean }[];
    };
    expect(members.map(({ host }) => host)).toEqual(['etcd1', 'etcd2', 'etcd3']);
    expect(members.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  });

  it('lets nobody into the kubelets there', async () => {
    const codes = await onNode(
      lab,
      'etcd1',
      'curl -sk -o /dev/null -w "%{http_code}" https://127.0.0.1:10250/pods; ss -Htln | grep -c "0.0.0.0:10250\\|\\*:10250"',
      [0, 1],
    );
    expect(codes.trim()).toBe('4010');
  });

  it('serves on without one of the hosts, and takes it back with its data lost', async () => {
    await onNode(
      lab,
      'etcd1',
      'systemctl stop kubelet; rm /etc/kubernetes/manifests/etcd.yaml; pkill -x etcd',
    );
    await kubectl(lab, 'create', 'configmap', 'while-away');
    const lost = await keelson(['reset', '-c', lab.clusterFile, '--host', 'etcd1', '--yes']);
    expect(lost.stderr).toContain("etcd1 can't be reset");
    await onNode(lab, 'etcd1', 'rm -rf /var/lib/etcd/member');
    await succeed('apply', '-c', lab.clusterFile);
    const { healthy, members } = JSON.parse(
      await succeed('etcd', 'status', '-c', lab.clusterFile, '-o', 'json'),
    ) as { healthy: boolean; members: { isLearner: boolean }[] };
    expect([healthy, members.length, members.some(({ isLearner }) => isLearner)]).toEqual([true, 3, false]);
    expect(await kubectl(lab, 'get', 'configmap', 'while-away', '-o', 'name')).toContain('while-away');
  });

  it('leaves nothing on any host when it is reset', async () => {
    await succeed('reset', '-c', lab.clusterFile, '--yes');
    const left =
      'ls -d /etc/kubernetes /var/lib/etcd/member /usr/bin/kubelet /var/lib/keelson/* 2>/dev/null; true';
    for (const node of ['cp1', 'etcd1', 'etcd2', 'etcd3']) expect(await onNode(lab, node, left)).toBe('');
  });
});
