import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CONTROL_PLANE_KUBECTL,
  drift,
  type E2eLab,
  keelson,
  labDown,
  labUp,
  onNode,
  succeed,
} from '../e2e/support.js';

interface Status {
  ok: boolean;
  problems: string[];
  nodes: {
    host: string;
    backend: string;
    mtu: number;
    proxyMode: string;
    routes: { expected: number; found: number };
    forwarding: { expected: number; found: number } | null;
    problems: string[];
  }[];
}

/** Asks for a health page every 50 ms until /tmp/stop is there, and writes down how often that failed. */
const loop = (url: string) => `rm -f /tmp/stop /tmp/result
(ok=0; bad=0; while [ ! -e /tmp/stop ]; do curl -s -m 1 ${url} >/dev/null && ok=$((ok+1)) || bad=$((bad+1)); sleep 0.05; done; echo "$ok $bad" > /tmp/result) >/dev/null 2>&1 &`;

describe('a cluster whose network changes', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2enet', '--network', 'flannel:vxlan');
  });
  afterAll(() => labDown('e2enet'));

  const status = async (): Promise<Status> =>
    JSON.parse((await keelson(['network', 'status', '-c', lab.clusterFile, '-o', 'json'])).stdout) as Status;

  /** Edits the cluster file only. */
  const choose = (...choice: string[]) => succeed('lab', 'up', '--name', lab.name, '--no-cluster', ...choice);

  /** Applies while w1 asks a pod of another node. @returns how often that failed, and the status after it */
  async function change(...choice: string[]) {
    await choose(...choice);
    const pods = await onNode(
      lab,
      'cp1',
      `${CONTROL_PLANE_KUBECTL} -n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{range .items[*]}{.spec.nodeName} {.status.podIP}{"\\n"}{end}'`,
    );
    const [, address = ''] =
      pods
        .split('\n')
        .find((line) => !line.startsWith('w1'))
        ?.split(' ') ?? [];
    await onNode(lab, 'w1', loop(`http://${address}:8080/health`));
    await succeed('apply', '-c', lab.clusterFile);
    const result = await onNode(
      lab,
      'w1',
      'touch /tmp/stop; while ! [ -s /tmp/result ]; do sleep 0.1; done; cat /tmp/result',
    );
    const [asked = 0, failed = 0] = result.trim().split(' ').map(Number);
    expect(asked).toBeGreaterThan(20);
    return { failed, after: await status() };
  }

  it('is as it should be', async () => {
    const found = await status();
    expect(found.problems).toEqual([]);
    for (const node of found.nodes) {
      expect(node).toMatchObject({ backend: 'vxlan', mtu: 1450, proxyMode: 'iptables', problems: [] });
      expect(node.routes).toEqual({ expected: 2, found: 2 });
      expect(node.forwarding).toEqual({ expected: 2, found: 2 });
    }
  });

  it('says what readiness does not: a route gone, a route to nowhere, somebody else’s CNI file', async () => {
    await onNode(
      lab,
      'w1',
      'ip route del 10.244.0.0/24; ip route add 10.244.77.0/24 dev flannel.1; touch /etc/cni/net.d/00-x.conf',
    );
    const found = await keelson(['network', 'status', '-c', lab.clusterFile]);
    expect(found.exitCode).toBe(6);
    expect(found.stdout).toMatch(/w1: no route to 10\.244\.0\.0\/24 of cp1/);
    expect(found.stdout).toMatch(/w1: a route to 10\.244\.77\.0\/24, which no node has/);
    expect(found.stdout).toContain('w1: containerd takes the CNI configuration 00-x.conf');
    await onNode(
      lab,
      'w1',
      'ip route del 10.244.77.0/24; ip route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink; rm /etc/cni/net.d/00-x.conf',
    );
    expect((await status()).ok).toBe(true);
  });

  it('routes directly with host-gw, nothing of VXLAN is left, and connections went on', async () => {
    const { failed, after } = await change('--network', 'flannel:host-gw');
    expect(after.nodes.flatMap((node) => node.problems)).toEqual([]);
    expect(after.nodes.map((node) => [node.backend, node.forwarding])).toEqual(
      ['cp1', 'w1', 'w2'].map(() => ['host-gw', null]),
    );
    for (const node of ['cp1', 'w1', 'w2'])
      expect(await onNode(lab, node, 'ip -br link show type vxlan')).toBe('');
    expect(failed).toBeLessThanOrEqual(2);
    expect(await drift(lab)).toEqual([]);
  });

  it('goes to nftables with kube-proxy and flannel, and no rule of theirs is left in iptables', async () => {
    await change('--network', 'flannel:vxlan+nftables', '--proxy-mode', 'nftables');
    const found = await status();
    expect(found.nodes.flatMap((node) => node.problems)).toEqual([]);
    for (const node of ['cp1', 'w1', 'w2']) {
      const rules = await onNode(lab, node, 'iptables-save 2>/dev/null; ip6tables-save 2>/dev/null');
      expect(rules).not.toMatch(/KUBE-(SVC|SERVICES|SEP)|FLANNEL-/);
      expect(await onNode(lab, node, 'nft list tables')).toContain('table ip kube-proxy');
    }
    await succeed('verify', '-c', lab.clusterFile);
  });

  it('comes back to VXLAN and iptables, with no table of nftables left', async () => {
    await change('--network', 'flannel:vxlan', '--proxy-mode', 'iptables');
    for (const node of ['cp1', 'w1', 'w2'])
      expect(await onNode(lab, node, 'nft list tables')).not.toMatch(/kube-proxy|flannel/);
    expect(await drift(lab)).toEqual([]);
    await succeed('verify', '-c', lab.clusterFile);
  });

  it('refuses what the kernel can’t do, and another plugin in the place of this one', async () => {
    await choose('--network', 'flannel:wireguard', '--proxy-mode', 'ipvs');
    const kernel = await keelson(['apply', '-c', lab.clusterFile]);
    expect(kernel.exitCode).toBe(4);
    expect(kernel.stderr).toContain(
      "kernel module wireguard is neither loaded nor loadable: flannel's backend",
    );
    expect(kernel.stderr).toContain(
      "kernel module ip_vs is neither loaded nor loadable: kube-proxy's mode is ipvs",
    );
    await choose('--network', 'none', '--proxy-mode', 'iptables');
    const plugin = await keelson(['apply', '-c', lab.clusterFile]);
    expect(plugin.exitCode).toBe(4);
    expect(plugin.stderr).toContain('does not replace one plugin by another');
  });
});
