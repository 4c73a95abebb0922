import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import type { ResolvedHost } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import {
  guestNamespace,
  guestSurroundings,
  POLICY_LABEL,
  type PolicyRole,
  policyPod,
} from '../../manifests/probe-policies.js';
import { type ProbePod, podProblem, readyPod } from './pods.js';
import type { Probe } from './probe.js';

const DEADLINE_MS = 45_000;

/** Pods that policies are tried on. Lists have the pod of the server's own node first. */
export interface PolicyPods {
  server: ProbePod;
  /** In the server's namespace, with a label that policies know. */
  friends: readonly ProbePod[];
  /** In the server's namespace, without it: the probe pods of the same nodes. */
  strangers: readonly ProbePod[];
  /** In another namespace. */
  guests: readonly ProbePod[];
}

/**
 * Starts them on two nodes that have probe pods, on one where there is no other.
 * @throws DEADLINE when a pod does not become Ready
 */
export async function startPolicyPods(
  client: ClusterClient,
  probe: Probe,
  signal: AbortSignal,
): Promise<PolicyPods> {
  const { settings } = probe;
  const places = probe.hosts.filter((host) => probe.pods.has(host.name)).slice(0, 2);
  const { namespace, account } = guestSurroundings(settings);
  await client.apply(namespace as KubeObject);
  await client.apply(account as KubeObject);
  const wanted = places.flatMap((place, index) =>
    (['server', 'friend', 'guest'] as const)
      .filter((role) => role !== 'server' || index === 0)
      .map((role) => ({ role, place })),
  );
  await Promise.all(
    wanted.map(({ role, place }) =>
      client.apply(policyPod(settings, role, place.nodeRegistration.name) as KubeObject),
    ),
  );
  const ready = await awaitAll(client, probe, wanted, signal);
  const of = (role: PolicyRole): ProbePod[] =>
    wanted.flatMap((one) => (one.role === role ? (ready.get(keyOf(one.role, one.place)) ?? []) : []));
  return {
    server: of('server')[0] as ProbePod,
    friends: of('friend'),
    guests: of('guest'),
    strangers: places.flatMap((place) => probe.pods.get(place.name) ?? []),
  };
}

const keyOf = (role: PolicyRole, place: ResolvedHost): string => `${role} ${place.nodeRegistration.name}`;

async function awaitAll(
  client: ClusterClient,
  { settings }: Probe,
  wanted: readonly { role: PolicyRole; place: ResolvedHost }[],
  signal: AbortSignal,
): Promise<Map<string, ProbePod>> {
  const selector = encodeURIComponent(POLICY_LABEL);
  const ready = new Map<string, ProbePod>();
  await waitUntil(
    async () => {
      const lists = await Promise.all(
        [settings.namespace, guestNamespace(settings)].map((namespace) =>
          client.list(`/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`),
        ),
      );
      const pods = lists.flat();
      const open: string[] = [];
      for (const { role, place } of wanted) {
        const { name } = policyPod(settings, role, place.nodeRegistration.name).metadata ?? {};
        const pod = pods.find((one) => one.metadata.name === name);
        const found = pod === undefined ? null : readyPod(pod, place.name);
        if (found === null) open.push(`${name}: ${podProblem(pod)}`);
        else ready.set(keyOf(role, place), found);
      }
      return { met: open.length === 0, state: open.join('; ') };
    },
    { for: 'pods to try network policies on', deadlineMs: DEADLINE_MS, intervalMs: 150, signal },
  );
  return ready;
}
