import { describe, expect, it } from 'vitest';
import type { ClusterClient, KubeObject } from '../../../src/cluster/client.js';
import type { HostReader } from '../../../src/host/types.js';
import { POLICY_LABEL } from '../../../src/manifests/probe-policies.js';
import type { ProbePod } from '../../../src/workflows/verify/pods.js';
import { networkPolicies } from '../../../src/workflows/verify/policy-checks.js';

const NAMESPACE = 'keelson-verify-1';
const HOSTS = ['w1', 'w2', 'w3'];

interface Policy {
  podSelector: { matchLabels: Record<string, string> };
  policyTypes: string[];
  ingress?: { from: { podSelector?: object; namespaceSelector?: object }[] }[];
}

interface FakePod {
  name: string;
  namespace: string;
  role: string;
  node: string;
  address: string;
}

/** A cluster whose plugin enforces the given kinds of policies, or none; `cut` lets nobody through at all. */
function fakeCluster(enforces: { ingress?: boolean; egress?: boolean; cut?: boolean }) {
  const pods: FakePod[] = HOSTS.map((node, index) => ({
    name: `probe-${node}`,
    namespace: NAMESPACE,
    role: '',
    node,
    address: `10.244.${index}.2`,
  }));
  const policies = new Map<string, Policy>();
  const client: Partial<ClusterClient> = {
    apply: async (object) => {
      if (object.kind === 'Pod') {
        const { name, namespace = '', labels = {} } = object.metadata;
        const { nodeName: node } = object.spec as { nodeName: string };
        const address = `10.244.${HOSTS.indexOf(node)}.${10 + pods.length}`;
        pods.push({ name, namespace, role: labels[POLICY_LABEL] ?? '', node, address });
      }
      if (object.kind === 'NetworkPolicy') policies.set(object.metadata.name, object.spec as Policy);
      return object;
    },
    remove: async (ref) => void policies.delete(ref.name),
    list: async (path) =>
      pods
        .filter((pod) => path.includes(`/namespaces/${pod.namespace}/`) && pod.role !== '')
        .map(
          (pod): KubeObject => ({
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: pod.name, uid: pod.name },
            spec: { nodeName: pod.node },
            status: { podIP: pod.address, conditions: [{ type: 'Ready', status: 'True' }] },
          }),
        ),
  };
  const selects = (policy: Policy, pod: FakePod) => policy.podSelector.matchLabels[POLICY_LABEL] === pod.role;
  const passes = (from: FakePod, to: FakePod): boolean => {
    if (enforces.cut) return false;
    const inward = [...policies.values()].filter(
      (policy) => policy.policyTypes.includes('Ingress') && selects(policy, to),
    );
    const outward = [...policies.values()].filter(
      (policy) => policy.policyTypes.includes('Egress') && selects(policy, from),
    );
    const admitted = inward
      .flatMap((policy) => policy.ingress ?? [])
      .flatMap((rule) => rule.from)
      .some((peer) =>
        peer.namespaceSelector === undefined
          ? from.role === 'friend' && from.namespace === to.namespace
          : from.namespace !== NAMESPACE,
      );
    if (enforces.ingress && inward.length > 0 && !admitted) return false;
    return !(enforces.egress && outward.length > 0);
  };
  const ask = async (_host: HostReader, target: { address: string; path: string }) => {
    const query = new URL(`http://x${target.path}`).searchParams;
    const from = pods.find((pod) => pod.address === target.address);
    const to = pods.find((pod) => pod.address === query.get('host'));
    if (from === undefined || to === undefined) throw new Error('no such pod');
    const body = passes(from, to) ? { responses: [to.name] } : { errors: ['i/o timeout'] };
    return { status: 200, body: JSON.stringify(body) };
  };
  const probePods = new Map(
    pods.map(({ name, node, address }): [string, ProbePod] => [
      node,
      { name, uid: name, host: node, address, addresses: [address] },
    ]),
  );
  const run = (plugin: 'flannel' | 'calico') =>
    networkPolicies({
      client: client as ClusterClient,
      plugin,
      enforceMs: 0,
      ask,
      host: (name) => ({ name }) as HostReader,
      patience: { signal: new AbortController().signal, until: 0 },
      probe: {
        settings: { namespace: NAMESPACE, image: 'agnhost' },
        hosts: HOSTS.map((name) => ({ name, nodeRegistration: { name } })) as never,
        pods: probePods,
        service: { clusterIPs: [], nodePort: 1 },
        rows: [],
      },
    });
  return { run, policies, pods };
}

describe('the check of network policies', () => {
  it('passes where each kind of policy holds, on the server’s node and across nodes', async () => {
    const cluster = fakeCluster({ ingress: true, egress: true });
    const rows = await cluster.run('calico');
    expect(rows.filter((row) => row.result !== 'passed')).toEqual([]);
    expect(rows.map((row) => `${row.detail} ${row.from}`)).toEqual(
      expect.arrayContaining([
        'default deny: friends are blocked w1',
        'default deny: friends are blocked w2',
        'allow by label: friends get through w2',
        'allow by label: strangers are blocked w1',
        'allow by namespace: guests get through w2',
        'allow by namespace: friends are blocked w2',
        'deny egress: friends are blocked w1',
        'deny egress: strangers get through w2',
      ]),
    );
    expect(cluster.policies.size).toBe(0);
  });

  it('names the kind of policy that a plugin does not enforce', async () => {
    const rows = await fakeCluster({ ingress: true }).run('calico');
    const failed = rows.filter((row) => row.result === 'failed').map((row) => row.detail);
    expect(failed).toEqual(Array(2).fill('deny egress: friends are blocked, but they get through'));
  });

  it('takes pods that never reach each other for a broken network, and not for a policy that holds', async () => {
    const rows = await fakeCluster({ cut: true }).run('calico');
    expect(rows.filter((row) => row.result === 'passed')).toEqual([]);
    expect(rows.at(-1)).toMatchObject({ result: 'skipped' });
  });

  it('says of flannel that it has none, without making anything', async () => {
    const cluster = fakeCluster({});
    const rows = await cluster.run('flannel');
    expect(rows).toMatchObject([
      { result: 'failed', detail: expect.stringContaining('flannel enforces no') },
    ]);
    expect(cluster.pods).toHaveLength(HOSTS.length);
  });
});
