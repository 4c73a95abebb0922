import { controlPlanes } from '../../config/inventory.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import type { PhaseContext } from '../../phases/context.js';
import { healthOf } from '../../phases/etcd/health.js';
import { etcdOn } from '../../phases/etcd-access.js';
import { listens } from '../../phases/listens.js';
import { awaitPods } from './health.js';
import { manifestPath, type StaticPod } from './keep.js';

/** Manifests that a host is to have, in no order; null for one that goes. */
export type Manifests = ReadonlyMap<StaticPod, Buffer | null>;

/** What clients use before what it uses: each can stop without harm to those that are still there. */
const FRONT: readonly StaticPod[] = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/** Longer than a pod's grace period of 30 s. */
const STOP_MS = 40_000;

/**
 * An API server that listens no more answers what it has been asked, and tells clients of HTTP/2 to go elsewhere, for
 * which it takes a second (golang.org/x/net/http2, goAwayTimeout).
 */
const DRAIN_MS = 2_000;

/** What differs between those who replace static pods. */
export interface Replacing {
  /** Waits until these pods are well. @throws DEADLINE with the first cause */
  awaitPods: (pods: readonly StaticPod[]) => Promise<void>;
  /** Has another etcd member lead, as well as it can. */
  leadElsewhere: () => Promise<void>;
  /** Starts the kubelet anew. */
  restartKubelet: () => Promise<unknown>;
}

/** The kernel keeps fifteen characters of a program's name. */
const commOf = (pod: StaticPod) => pod.slice(0, 15);

/** Processes of static pods, as `comm pid` lines; others of the same name are in no pod's cgroup. */
const processesProbe = (pods: readonly StaticPod[]) =>
  `for comm in ${pods.map(commOf).join(' ')}; do
  for file in $(grep -lx "$comm" /proc/[0-9]*/comm 2>/dev/null); do
    pid=\${file#/proc/}; pid=\${pid%/comm}
    grep -q kubepods "/proc/$pid/cgroup" 2>/dev/null && echo "$comm $pid"
  done
done; true`;

async function processesOf(host: Host, pods: readonly StaticPod[]): Promise<Map<StaticPod, string[]>> {
  const seen = await host.read({ probes: { processes: processesProbe(pods) } });
  const lines = (seen.probes.get('processes')?.stdout ?? '').split('\n').map((line) => line.split(' '));
  return new Map(
    pods.map((pod) => [
      pod,
      lines.filter(([comm]) => comm === commOf(pod)).flatMap(([, pid]) => (pid === undefined ? [] : [pid])),
    ]),
  );
}

/**
 * Replaces static pods of one host, each healthy before the next begins: the API server and what works through it
 * stop first, so that load balancers send clients elsewhere before etcd goes; then etcd, the API server, the
 * controller manager and the scheduler start anew.
 *
 * A kubelet looks only every ten to fifteen seconds whether the pod before has ended
 * (pkg/kubelet/pod_workers.go, allowPodStart). One that has just started knows of no pod before and begins at
 * once. So it is restarted when the old processes are gone; its own pods live through that.
 * @param manifests also those that stay as they are, where their pods are to start anew
 * @throws DEADLINE with the first cause
 */
export async function swapStaticPods(
  context: PhaseContext,
  host: Host,
  manifests: Manifests,
  { awaitPods: healthy, leadElsewhere: handOver, restartKubelet }: Replacing,
): Promise<void> {
  const changed = [...manifests.keys()];
  if (changed.length === 0) return;
  const etcd = manifests.get('etcd');
  const front = FRONT.filter((pod) => manifests.has(pod));
  const running = await processesOf(host, changed);

  await host.remove(front.map(manifestPath));
  await stopped(context, host, front, running);
  if (etcd !== undefined) {
    await drained(context, host, running.get('kube-apiserver') ?? []);
    await handOver();
    if (etcd === null) await host.remove([manifestPath('etcd')]);
    else await put(host, 'etcd', etcd);
    await stopByHand(host, running.get('etcd') ?? []);
    await stopped(context, host, ['etcd'], running);
  }
  await restartKubelet();
  if (etcd != null) await healthy(['etcd']);
  for (const group of [['kube-apiserver'], ['kube-controller-manager', 'kube-scheduler']] as const) {
    const next = group.flatMap((pod) => {
      const manifest = manifests.get(pod);
      return manifest == null ? [] : [{ pod, manifest }];
    });
    if (next.length === 0) continue;
    for (const { pod, manifest } of next) await put(host, pod, manifest);
    await healthy(next.map(({ pod }) => pod));
  }
}

/**
 * `swapStaticPods` as an upgrade needs it.
 * @param version that the API server has to have afterwards
 * @param restartKubelet replaces the kubelet and starts it
 */
export function replaceStaticPods(
  context: PhaseContext,
  host: Host,
  manifests: Manifests,
  version: string,
  restartKubelet: () => Promise<unknown> = () => host.service('restart', KUBELET_UNIT),
): Promise<void> {
  return swapStaticPods(context, host, manifests, {
    awaitPods: (pods) => awaitPods(context, host, pods, version),
    leadElsewhere: () => leadElsewhere(context, host),
    restartKubelet,
  });
}

const put = (host: Host, pod: StaticPod, content: Buffer) =>
  host.put([{ path: manifestPath(pod), content, mode: 0o600, dirMode: 0o700 }]);

/**
 * Waits until processes of pods have ended. An API server may run for its last watches a while longer: it is
 * enough that it takes no more connections. Those that do not end are killed by the kubelet that starts anew.
 */
async function stopped(
  context: PhaseContext,
  host: Host,
  pods: readonly StaticPod[],
  running: ReadonlyMap<StaticPod, readonly string[]>,
): Promise<void> {
  const port = controlPlanes(context.config).find(({ name }) => name === host.name)?.localAPIEndpoint
    .bindPort;
  const probes = Object.fromEntries(
    pods.flatMap((pod) => {
      const pids = running.get(pod) ?? [];
      if (pids.length === 0) return [];
      const listening = pod === 'kube-apiserver' && port !== undefined;
      return [[pod, listening ? listens(port) : alive(pod, pids)]];
    }),
  );
  if (Object.keys(probes).length === 0) return;
  try {
    await waitUntil(
      async () => {
        const seen = await host.read({ probes });
        const left = [...seen.probes].filter(([, { code }]) => code === 0).map(([pod]) => pod);
        return { met: left.length === 0, state: `${left.join(', ')} still there` };
      },
      {
        for: `${pods.join(', ')} to end`,
        deadlineMs: STOP_MS,
        intervalMs: 100,
        signal: context.signal,
        onState: (last) =>
          context.emit({ type: 'waiting', phase: 'upgrade', host: host.name, for: 'pods to end', last }),
      },
    );
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
    context.emit({ type: 'note', host: host.name, level: 'warning', text: error.message });
  }
}

/** Arguments: process ids. A kubelet that runs might start the pod again; whoever goes on starts it. */
const STOP_ETCD = `systemctl stop ${KUBELET_UNIT}
for pid in "$@"; do
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = etcd ] && kill -TERM "$pid"
done
exit 0
`;

/**
 * Ends an etcd whose manifest is already that of the next one, so that a run that is broken off leaves nothing to bring
 * back. The kubelet would not do it where the manifest stays the same, nor where it has not seen an API since it
 * started (pkg/kubelet/kubelet.go, deletePod, waits for all sources of pods).
 */
async function stopByHand(host: Host, pids: readonly string[]): Promise<void> {
  await host.script({ name: 'upgrade/stop-etcd', text: STOP_ETCD, args: pids });
}

/** Arguments: process ids. */
const KILL = `for pid in "$@"; do
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = kube-apiserver ] && kill -KILL "$pid"
done
exit 0
`;

/**
 * Ends an API server that takes no more connections, once it has answered what it was asked and only lives for its
 * last watches: etcd would wait seven seconds for it before it stops, and without etcd it has nothing left to watch.
 */
async function drained({ signal }: PhaseContext, host: Host, pids: readonly string[]): Promise<void> {
  if (pids.length === 0) return;
  try {
    await waitUntil(
      async () => {
        const seen = await host.read({ probes: { alive: alive('kube-apiserver', pids) } });
        return { met: seen.probes.get('alive')?.code !== 0, state: 'it serves its last watches' };
      },
      { for: 'kube-apiserver to end', deadlineMs: DRAIN_MS, intervalMs: 100, signal },
    );
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
    await host.script({ name: 'upgrade/kill', text: KILL, args: pids });
  }
}

/** Shell: ends with 0 while one of the processes is there. */
const alive = (pod: StaticPod, pids: readonly string[]): string =>
  pids.map((pid) => `[ "$(cat /proc/${pid}/comm 2>/dev/null)" = ${commOf(pod)} ]`).join(' || ');

/** A leader that hands over before it stops costs the others no election. Where that fails, an election does it. */
async function leadElsewhere(context: PhaseContext, host: Host): Promise<void> {
  const client = await etcdOn(context, host.name);
  try {
    const [status, members] = await Promise.all([client.status(), client.members()]);
    if (status.leader !== status.id || members.length === 1) return;
    const { health } = await healthOf(context, members);
    const heir = health.find(({ id, learner, healthy }) => healthy && !learner && id !== status.id);
    if (heir !== undefined) await client.moveLeader(heir.id);
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    if (error.code === 'ABORTED') throw error;
  } finally {
    await client.close();
  }
}
