import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';

interface Pod {
  metadata: { name: string };
  spec: { nodeName: string };
  status: { podIPs: { ip: string }[] };
}

/** CoreDNS answers /health on this port. */
const PORT = 8080;
const isIPv6 = (address: string) => address.includes(':');
const urlOf = (address: string, port: number) =>
  `http://${isIPv6(address) ? `[${address}]` : address}:${port}/health`;

/** Script that asks for URLs from inside the network of the node's CoreDNS pod. */
const fromPod = (urls: readonly string[]) => `
pid=$(for comm in /proc/[0-9]*/comm; do read -r name < "$comm" && [ "$name" = coredns ] && echo "$comm" | cut -d/ -f3 && break; done)
for url in ${urls.map((url) => `'${url}'`).join(' ')}; do nsenter -t "$pid" -n curl -gs -m 5 "$url" || echo "failed $url"; echo; done`;

describe('a cluster of both address families', () => {
  let lab: E2eLab;
  let pods: Pod[];
  beforeAll(async () => {
    lab = await labUp('e2edual', '--workers', '1', '--dual-stack');
    // One CoreDNS pod a node: two pods with a network of their own.
    await kubectl(
      lab,
      ...['-n', 'kube-system', 'patch', 'deployment', 'coredns', '--type=json', '-p'],
      '[{"op":"add","path":"/spec/template/spec/topologySpreadConstraints","value":[{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"k8s-app":"kube-dns"}},"matchLabelKeys":["pod-template-hash"]}]}]',
    );
    await kubectl(lab, '-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=120s');
    await kubectl(
      lab,
      ...['-n', 'kube-system', 'wait', 'pods', '-l', 'k8s-app=kube-dns', '--for=condition=Ready'],
    );
    const list = JSON.parse(
      await kubectl(lab, '-n', 'kube-system', 'get', 'pods', '-l', 'k8s-app=kube-dns', '-o', 'json'),
    ) as { items: (Pod & { metadata: { deletionTimestamp?: string } })[] };
    pods = list.items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  });
  afterAll(() => labDown('e2edual'));

  it('gives nodes and pods an address of each, and has nothing left to plan', async () => {
    const nodes = JSON.parse(await kubectl(lab, 'get', 'nodes', '-o', 'json')) as {
      items: { status: { addresses: { type: string; address: string }[] }; spec: { podCIDRs: string[] } }[];
    };
    for (const { status, spec } of nodes.items) {
      const own = status.addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
      expect(own.map(isIPv6)).toEqual([false, true]);
      expect(spec.podCIDRs.map(isIPv6)).toEqual([false, true]);
    }
    expect(new Set(pods.map((pod) => pod.spec.nodeName)).size).toBe(2);
    for (const pod of pods) expect(pod.status.podIPs.map(({ ip }) => isIPv6(ip))).toEqual([false, true]);
  });

  it('carries both from pod to pod across nodes, over VXLAN', async () => {
    for (const from of pods) {
      const urls = pods.flatMap((to) => to.status.podIPs.map(({ ip }) => urlOf(ip, PORT)));
      const answers = await onNode(lab, from.spec.nodeName, fromPod(urls));
      expect(answers.trim().split(/\s+/), from.metadata.name).toEqual(urls.map(() => 'OK'));
    }
    expect(await onNode(lab, 'w1', 'ip -6 route show dev flannel-v6.1')).toMatch(/fd88:10:244:/);
  });

  it('serves a Service at a cluster IP of each, to pods and to nodes', async () => {
    const service = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'health', namespace: 'kube-system' },
      spec: {
        ipFamilyPolicy: 'RequireDualStack',
        selector: { 'k8s-app': 'kube-dns' },
        ports: [{ port: 80, targetPort: PORT }],
      },
    });
    await onNode(
      lab,
      'cp1',
      `echo '${service}' | kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f -`,
    );
    const ips = await kubectl(
      lab,
      ...['-n', 'kube-system', 'get', 'service', 'health', '-o', 'jsonpath={.spec.clusterIPs[*]}'],
    );
    expect(ips.split(' ').map(isIPv6)).toEqual([false, true]);
    const urls = ips.split(' ').map((ip) => urlOf(ip, 80));
    for (const { spec } of pods) {
      const answers = await onNode(lab, spec.nodeName, fromPod(urls));
      expect(answers.trim().split(/\s+/)).toEqual(['OK', 'OK']);
      for (const url of urls) expect(await onNode(lab, spec.nodeName, `curl -gs -m 5 '${url}'`)).toBe('OK');
    }
  });

  it('passes verify, and apply changes only what the test changed', async () => {
    await succeed('verify', '-c', lab.clusterFile);
    const { exitCode, stdout } = await keelson(['plan', '-c', lab.clusterFile]);
    expect([exitCode, stdout]).toEqual([0, expect.not.stringMatching(/flannel|kubelet|kube-proxy/)]);
  });
});
