import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CONTROL_PLANE_KUBECTL,
  type E2eLab,
  keelson,
  labDown,
  labUp,
  onNode,
  succeed,
} from '../e2e/support.js';
import { expectNothingToPlan, withHosts } from './support.js';

describe('a cluster with etcd on hosts of its own', () => {
  let lab: E2eLab;
  let original: string;
  beforeAll(async () => {
    lab = await labUp('longetcd', '--control-planes', '2', '--workers', '0', '--etcd', '4', '--no-cluster');
    original = readFileSync(lab.clusterFile, 'utf8');
    only('etcd1', 'etcd2', 'etcd3');
    await succeed('apply', '-c', lab.clusterFile);
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', lab.kubeconfig);
  });
  afterAll(() => labDown('longetcd'));

  /** The file with these hosts of role etcd. */
  const only = (...names: string[]) => writeFileSync(lab.clusterFile, withHosts(original, /^etcd/, names));
  const members = async () => {
    const status = JSON.parse(await succeed('etcd', 'status', '-c', lab.clusterFile, '-o', 'json')) as {
      healthy: boolean;
      members: { host: string; isLeader: boolean; isLearner: boolean }[];
    };
    expect([status.healthy, status.members.some(({ isLearner }) => isLearner)]).toEqual([true, false]);
    return status.members.map(({ host }) => host);
  };
  const kubectlThere = (...args: string[]) => onNode(lab, 'cp1', [CONTROL_PLANE_KUBECTL, ...args].join(' '));
  const serversOf = async (node: string) =>
    (
      await onNode(lab, node, "sed -n 's/.*--etcd-servers=//p' /etc/kubernetes/manifests/kube-apiserver.yaml")
    ).trim();

  it('has an etcd outside, which kubeadm knows as external, and nothing left to plan', async () => {
    expect(await kubectlThere('get', 'nodes', '-o', 'name')).toBe('node/cp1\nnode/cp2');
    const uploaded = await kubectlThere(
      '-n',
      'kube-system',
      'get',
      'configmap',
      'kubeadm-config',
      '-o',
      'yaml',
    );
    expect(uploaded).toMatch(/external:\n\s+caFile: \/etc\/kubernetes\/pki\/etcd\/ca\.crt/);
    expect(await onNode(lab, 'cp1', 'ls /etc/kubernetes/manifests /etc/kubernetes/pki/etcd')).not.toMatch(
      /etcd\.yaml|ca\.key/,
    );
    await expectNothingToPlan(lab);
    expect(await members()).toEqual(['etcd1', 'etcd2', 'etcd3']);
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
    await kubectlThere('create', 'configmap', 'while-away');
    const lost = await keelson(['reset', '-c', lab.clusterFile, '--host', 'etcd1', '--yes']);
    expect(lost.stderr).toContain("etcd1 can't be reset");
    await onNode(lab, 'etcd1', 'rm -rf /var/lib/etcd/member');
    await succeed('apply', '-c', lab.clusterFile);
    expect(await members()).toEqual(['etcd1', 'etcd2', 'etcd3']);
    expect(await kubectlThere('get', 'configmap', 'while-away', '-o', 'name')).toContain('while-away');
  });

  it('replaces one of the hosts, and the API servers follow one after the other', async () => {
    only('etcd1', 'etcd2', 'etcd3', 'etcd4');
    const asks = onNode(
      lab,
      'cp1',
      'while [ ! -e /run/stop ]; do for n in cp1 cp2; do curl -sk -m 2 -o /dev/null https://$n:6443/livez && echo $n; done | tr "\n" " "; echo; sleep 0.1; done',
    );
    await succeed('node', 'replace', 'etcd1', 'etcd4', '-c', lab.clusterFile);
    await onNode(lab, 'cp1', 'touch /run/stop');
    expect((await asks).split('\n').slice(0, -1)).not.toContain('');
    only('etcd2', 'etcd3', 'etcd4');
    expect(await members()).toEqual(['etcd2', 'etcd3', 'etcd4']);
    for (const node of ['cp1', 'cp2']) expect((await serversOf(node)).split(',')).toHaveLength(3);
    expect(await serversOf('cp1')).toBe(await serversOf('cp2'));
    await expectNothingToPlan(lab);
    expect(await onNode(lab, 'etcd1', 'ls -d /etc/kubernetes /var/lib/etcd/member 2>/dev/null; true')).toBe(
      '',
    );
  });

  it('lets a dead one leave, and not at the price of the quorum', async () => {
    await succeed('lab', 'stop', 'etcd4', '--name', lab.name);
    const refused = await keelson(['node', 'remove', 'etcd2', '-c', lab.clusterFile]);
    expect(refused.exitCode, refused.stderr).toBe(4);
    expect(refused.stderr).toContain('quorum');
    only('etcd2', 'etcd3', 'etcd4');
    await succeed('node', 'remove', 'etcd4', '--unreachable', '-c', lab.clusterFile);
    only('etcd2', 'etcd3');
    expect(await members()).toEqual(['etcd2', 'etcd3']);
    await expectNothingToPlan(lab);
    expect(await kubectlThere('get', 'configmap', 'while-away', '-o', 'name')).toContain('while-away');
  });

  it('leaves nothing on any host when it is reset', async () => {
    await succeed('reset', '-c', lab.clusterFile, '--yes');
    const left =
      'ls -d /etc/kubernetes /var/lib/etcd/member /usr/bin/kubelet /var/lib/keelson/* 2>/dev/null; true';
    for (const node of ['cp1', 'cp2', 'etcd1', 'etcd2', 'etcd3'])
      expect(await onNode(lab, node, left)).toBe('');
  });
});
