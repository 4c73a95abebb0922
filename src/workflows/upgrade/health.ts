import { readinessOf } from '../../cluster/client.js';
import { componentHealth } from '../../cluster/component-health.js';
import { durationMs } from '../../config/go-duration.js';
import { hostNamed, timeoutsOf } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { type Condition, waitUntil } from '../../engine/wait.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { lastArgument } from '../../manifests/component-arguments.js';
import type { PhaseContext } from '../../phases/context.js';
import { etcdOn } from '../../phases/etcd-access.js';
import { withHostEvidence, withPodEvidence } from '../../phases/evidence.js';
import { localApi } from '../../phases/local-api.js';
import { nodeRef } from '../../phases/nodes/cordon.js';
import { unready } from '../../phases/wait/ready.js';
import { crashWatch, refuseCrashingKubelet } from './crashes.js';
import type { StaticPod } from './keep.js';

/** `ok`, or what is wrong with one component on its host. Retryable errors are thrown. */
async function stateOf(context: PhaseContext, host: Host, pod: StaticPod, version: string): Promise<string> {
  switch (pod) {
    case 'etcd': {
      const client = await etcdOn(context, host.name);
      try {
        const { leader } = await client.status();
        if (leader === '') return 'etcd has no leader';
        // Linearizable: only a member that reaches the leader answers.
        await client.members();
        return 'ok';
      } finally {
        await client.close();
      }
    }
    case 'kube-apiserver': {
      const client = localApi(context, host.name);
      try {
        const { body } = await client.request('GET', '/version', { timeoutMs: 5_000 });
        const { gitVersion } = body as { gitVersion?: string };
        if (gitVersion !== version) return `the API server is still ${gitVersion}`;
        await client.request('GET', '/readyz', { timeoutMs: 5_000 });
        // It may be ready, for which it asks nobody, seconds before it knows who may do what.
        await client.request('GET', '/api/v1/namespaces/kube-system', { timeoutMs: 5_000 });
        return 'ok';
      } finally {
        await client.close();
      }
    }
    case 'kube-controller-manager':
    case 'kube-scheduler':
      return componentHealth(host, endpointOf(context.config, pod));
  }
}

function endpointOf({ cluster }: ClusterConfig, pod: 'kube-controller-manager' | 'kube-scheduler') {
  const [component, port] =
    pod === 'kube-scheduler' ? [cluster.scheduler, 10_259] : [cluster.controllerManager, 10_257];
  const bound = lastArgument(component.extraArgs, 'bind-address') ?? '127.0.0.1';
  const address = bound === '0.0.0.0' ? '127.0.0.1' : bound === '::' ? '::1' : bound;
  return { address, port: Number(lastArgument(component.extraArgs, 'secure-port') ?? port) };
}

/**
 * Waits until components of a control plane are well.
 * @param version that the API server has to have
 * @throws DEADLINE with the first cause, early where a container keeps ending
 */
export async function awaitPods(
  context: PhaseContext,
  host: Host,
  pods: readonly StaticPod[],
  version: string,
): Promise<void> {
  const resolved = hostNamed(context.config, host.name);
  const limit = durationMs(timeoutsOf(context.config, resolved).controlPlaneComponentHealthCheck);
  const refuseCrashing = crashWatch(host);
  const look = async (): Promise<Condition> => {
    const states = await Promise.all(
      pods.map(async (pod) => {
        try {
          return { pod, state: await stateOf(context, host, pod, version) };
        } catch (thrown) {
          const error = toKeelsonError(thrown);
          // A young API server does not know its roles yet, and an old one may refuse.
          if (error.code !== 'API' && !error.retryable) throw error;
          return { pod, state: readinessOf(error) };
        }
      }),
    );
    const open = states.filter(({ state }) => state !== 'ok');
    for (const { pod } of open) await refuseCrashing(pod);
    return { met: open.length === 0, state: open.map(({ pod, state }) => `${pod}: ${state}`).join('; ') };
  };
  try {
    await waitUntil(look, {
      for: `${pods.join(', ')} on ${host.name}`,
      deadlineMs: limit,
      intervalMs: 150,
      signal: context.signal,
      hint: `on ${host.name}: the logs of ${pods.join(', ')} in /var/log/containers`,
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'upgrade', host: host.name, for: pods.join(', '), last }),
    });
  } catch (error) {
    throw await withHostEvidence(error, host);
  }
}

/** A kubelet that is well reports within seconds. */
const NODE_MS = 120_000;

interface NodeStatus {
  nodeInfo?: { kubeletVersion?: string };
  conditions?: { type: string; status: string; message?: string }[];
}

/**
 * Waits until a host's node is Ready with a kubelet of a version. Hosts of role etcd are no nodes.
 * @throws DEADLINE with the first cause, early where the kubelet keeps ending
 */
export async function awaitNode(context: PhaseContext, host: Host, version: string): Promise<void> {
  const { role, nodeRegistration } = context.hostNamed(host.name);
  if (role === 'etcd') return;
  const look = async (): Promise<Condition> => {
    const node = await context.api()?.get(nodeRef(nodeRegistration.name));
    if (node == null) return { met: false, state: 'there is no Node object' };
    const { nodeInfo, conditions = [] } = (node.status ?? {}) as NodeStatus;
    if (nodeInfo?.kubeletVersion !== version)
      return { met: false, state: `the kubelet is still ${nodeInfo?.kubeletVersion}` };
    const ready = conditions.find(({ type }) => type === 'Ready');
    return { met: ready?.status === 'True', state: ready?.message ?? 'the node has no condition yet' };
  };
  try {
    await waitUntil(look, {
      for: `the node of ${host.name}`,
      deadlineMs: NODE_MS,
      intervalMs: 150,
      signal: context.signal,
      hint: `on ${host.name}: journalctl -u kubelet`,
      guard: () => refuseCrashingKubelet(host),
      guardMs: 5_000,
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'upgrade', host: host.name, for: 'the node', last }),
    });
  } catch (error) {
    throw await withHostEvidence(error, host);
  }
}

/** Milliseconds for nodes and add-ons to be as they should be after a change. */
const CLUSTER_MS = 300_000;

/**
 * Waits until the nodes of the run and the add-ons are up: what has to hold before anything further is touched.
 * @throws DEADLINE with what is not
 */
export async function awaitCluster(context: PhaseContext): Promise<void> {
  const look = async (): Promise<Condition> => {
    const reasons = await unready(context);
    return { met: reasons.length === 0, state: reasons.join('; ') };
  };
  try {
    await waitUntil(look, {
      for: 'nodes and add-ons, before anything further is touched',
      deadlineMs: CLUSTER_MS,
      intervalMs: 200,
      signal: context.signal,
      hint: 'keelson status shows more; when all is well again, run the same command again',
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'upgrade', host: '', for: 'nodes and add-ons', last }),
    });
  } catch (error) {
    throw await withPodEvidence(error, context.api());
  }
}
