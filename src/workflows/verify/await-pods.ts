import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import type { ResolvedHost } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { PROBE_APP, type ProbeSettings } from '../../manifests/probe.js';
import type { Session } from '../session.js';
import type { CheckRow } from './checks.js';
import { nodeOf, nodeProblem, type ProbePod, podEvents, podProblem, readyPod } from './pods.js';

/** Milliseconds for pods whose image is on their nodes already. */
const POD_DEADLINE_MS = 45_000;

export interface Awaited {
  session: Session;
  client: ClusterClient;
  settings: ProbeSettings;
  hosts: readonly ResolvedHost[];
  /** Hosts that have no probe image, and why. */
  images: ReadonlyMap<string, string>;
  signal: AbortSignal;
}

/** Waits for the pods of all nodes that can have one: Ready nodes with the image. */
export async function awaitPods(
  options: Awaited,
): Promise<{ pods: Map<string, ProbePod>; rows: CheckRow[] }> {
  const { session, client, settings, hosts, images, signal } = options;
  const started = performance.now();
  const times = new Map<string, number>();
  const pods = new Map<string, ProbePod>();
  let seen: KubeObject[] = [];
  const podOn = (host: ResolvedHost) => seen.find((pod) => nodeOf(pod) === host.nodeRegistration.name);
  const selector = encodeURIComponent(`app=${PROBE_APP}`);
  const look = async () => {
    const [nodes, found] = await Promise.all([
      client.list('/api/v1/nodes'),
      client.list(`/api/v1/namespaces/${settings.namespace}/pods?labelSelector=${selector}`),
    ]);
    seen = found;
    const open: string[] = [];
    for (const host of hosts) {
      const pod = podOn(host);
      const ready = pod === undefined ? null : readyPod(pod, host.name);
      if (ready === null) pods.delete(host.name);
      else {
        pods.set(host.name, ready);
        if (!times.has(host.name)) times.set(host.name, performance.now() - started);
        continue;
      }
      const node = nodes.find((one) => one.metadata.name === host.nodeRegistration.name);
      if (nodeProblem(node) === null && !images.has(host.name)) open.push(`${host.name}: ${podProblem(pod)}`);
    }
    return { met: open.length === 0, state: open.join('; ') };
  };
  const onState = (last: string) =>
    session.emit({ type: 'waiting', phase: 'verify', host: '', for: 'probe pods', last });
  try {
    await waitUntil(look, {
      for: 'probe pods',
      deadlineMs: POD_DEADLINE_MS,
      intervalMs: 150,
      signal,
      onState,
    });
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
  }
  const rows = await Promise.all(
    hosts.map(async (host): Promise<CheckRow> => {
      const base = { check: 'pods', from: '', to: host.name } as const;
      const durationMs = Math.round(times.get(host.name) ?? performance.now() - started);
      const pod = podOn(host);
      if (pods.has(host.name)) return { ...base, result: 'passed', durationMs, detail: '' };
      const image = images.get(host.name);
      const detail =
        image === undefined ? podProblem(pod) : `the probe image could not be imported: ${image}`;
      const evidence =
        pod === undefined ? [] : await podEvents(client, settings.namespace, pod.metadata.name);
      return { ...base, result: 'failed', durationMs, detail, evidence };
    }),
  );
  return { pods, rows };
}
