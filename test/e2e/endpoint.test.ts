import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from './support.js';

const PLANES = ['cp1', 'cp2', 'cp3'];
const KUBELET_SERVER = "sed -n 's/^ *server: //p' /etc/kubernetes/kubelet.conf";

describe('a single control plane that gets an endpoint', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2eep', '--workers', '1');
  });
  afterAll(() => labDown('e2eep'));

  /** What runs in the cluster beside kube-proxy and static pods: name, start, restarts. */
  async function workloads(): Promise<string[]> {
    const path =
      '{range .items[*]}{.metadata.name} {.status.startTime} {.status.containerStatuses[*].restartCount}{"\\n"}{end}';
    const lines = (await kubectl(lab, 'get', 'pods', '-A', '-o', `jsonpath=${path}`)).split('\n');
    return lines.filter((line) => /^(coredns|kube-flannel-ds)-/.test(line)).sort();
  }

  /** Whole seconds until the API answers at the lab's endpoint. */
  async function untilAnswer(): Promise<number> {
    const began = performance.now();
    for (;;) {
      const answer = await kubectl(lab, 'get', '--raw', '/readyz', '--request-timeout=2s').catch(() => '');
      const seconds = Math.round((performance.now() - began) / 1000);
      if (answer === 'ok' || seconds > 120) return seconds;
    }
  }

  async function holder(address: string): Promise<string[]> {
    const found: string[] = [];
    for (const node of PLANES)
      if ((await onNode(lab, node, `ip -o addr show | grep -cF ' ${address}/32 ' || true`)).trim() === '1')
        found.push(node);
    return found;
  }

  const nothingToPlan = async () =>
    expect((await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode'])).stdout).toContain(
      'Nothing to change',
    );

  it('moves to a virtual address and to three control planes by one apply, and no workload restarts', async () => {
    const before = await workloads();
    const more = ['--endpoint', 'keepalived-haproxy', '--control-planes', '3', '--workers', '1'];
    await succeed('lab', 'up', '--name', lab.name, ...more);
    await nothingToPlan();
    const server = (await onNode(lab, 'w1', KUBELET_SERVER)).trim();
    expect(server).toMatch(/^https:\/\/10\.\d+\.\d+\.10:8443$/);
    for (const name of ['kube-proxy', 'kubeadm-config'])
      expect(await kubectl(lab, '-n', 'kube-system', 'get', 'configmap', name, '-o', 'yaml')).toContain(
        server.replace('https://', ''),
      );
    const after = await workloads();
    for (const line of before) expect(after).toContain(line);
  });

  it('answers again within 30 s when the control plane that holds the address loses its power', async () => {
    const address = /\/\/([\d.]+):/.exec(await onNode(lab, 'w1', KUBELET_SERVER))?.[1] ?? '';
    const [node = '', ...others] = await holder(address);
    expect(PLANES).toContain(node);
    expect(others).toEqual([]);
    await succeed('lab', 'stop', node, '--name', lab.name);
    expect(await untilAnswer()).toBeLessThanOrEqual(30);
    await succeed('lab', 'start', node, '--name', lab.name);
  });
});
