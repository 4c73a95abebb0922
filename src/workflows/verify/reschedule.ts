import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { workers } from '../../config/inventory.js';
import type { ResolvedHost } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { PROBE_PORT, WANDERER_APP, wanderer } from '../../manifests/probe.js';
import type { Session } from '../session.js';
import type { Ask } from './ask.js';
import type { CheckRow } from './checks.js';
import { nodeOf, nodeProblem, type ProbePod, podProblem, readyPod } from './pods.js';
import type { Probe } from './probe.js';

const START_DEADLINE_MS = 30_000;
/** The controller manager gives a silent node 50 s; then come taint, eviction, scheduling and start. */
const MOVE_DEADLINE_MS = 150_000;
const READY_DEADLINE_MS = 90_000;

const RESTORE_UNIT = 'keelson-verify-kubelet';
/** Seconds after which the host starts its kubelet by itself, should nobody be left to do it. */
const RESTORE_SECONDS = 300;

/** Arguments: seconds, kubelet unit. The timer is armed before the kubelet stops. */
const STOP_KUBELET = `set -e
systemctl stop ${RESTORE_UNIT}.timer 2>/dev/null || true
systemd-run --quiet --unit=${RESTORE_UNIT} --on-active="$1" systemctl start "$2"
systemctl stop "$2"
`;

const START_KUBELET = `set -e
systemctl start "$1"
systemctl stop ${RESTORE_UNIT}.timer 2>/dev/null || true
`;

export interface RescheduleOptions {
  session: Session;
  client: ClusterClient;
  probe: Probe;
  ask: Ask;
  /** Soft stop: ends the check, not the putting right. */
  signal: AbortSignal;
}

/**
 * Stops the kubelet of a worker on which a pod runs, and waits for the pod on another worker. The kubelet is
 * started again whatever happens: by this run, or by a timer on the host where this run died.
 */
export async function reschedule(options: RescheduleOptions): Promise<CheckRow[]> {
  const { session, client, probe, signal } = options;
  const able = workers(session.context.config).filter((host) => probe.pods.has(host.name));
  const base = { check: 'reschedule', from: '', to: '' } as const;
  if (able.length < 2) {
    const detail = 'needs two workers with running probe pods';
    return [{ ...base, result: 'skipped', durationMs: 0, detail }];
  }
  await client.apply(
    wanderer(
      probe.settings,
      able.map((host) => host.nodeRegistration.name),
    ) as KubeObject,
  );
  const before = await awaitWanderer(options, able, null, START_DEADLINE_MS).catch(missing);
  if (before instanceof KeelsonError)
    return [{ ...base, result: 'failed', durationMs: START_DEADLINE_MS, detail: before.message }];
  const host = session.effects.host(before.host);
  const note = (text: string) => session.emit({ type: 'note', host: host.name, level: 'info', text });
  signal.throwIfAborted();
  const started = performance.now();
  try {
    note('stopping the kubelet, to see its pod move to another worker');
    const args = [String(RESTORE_SECONDS), KUBELET_UNIT];
    await host.script({ name: 'verify/stop-kubelet', text: STOP_KUBELET, args });
    const after = await awaitWanderer(options, able, before, MOVE_DEADLINE_MS).catch(missing);
    const durationMs = Math.round(performance.now() - started);
    return [
      after instanceof KeelsonError
        ? { ...base, from: before.host, result: 'failed', durationMs, detail: after.message }
        : {
            ...base,
            from: before.host,
            to: after.host,
            result: 'passed',
            durationMs,
            detail: 'from the kubelet’s stop to an answer of the new pod',
          },
    ];
  } finally {
    note('starting the kubelet again');
    await restore(options, host);
  }
}

function missing(error: unknown): KeelsonError {
  if (error instanceof KeelsonError && error.code === 'DEADLINE') return error;
  throw error;
}

/** Waits until the pod is Ready, elsewhere than `before`, and answers. */
async function awaitWanderer(
  options: RescheduleOptions,
  able: readonly ResolvedHost[],
  before: ProbePod | null,
  deadlineMs: number,
): Promise<ProbePod> {
  const { client, probe, session, signal, ask } = options;
  const selector = encodeURIComponent(`app=${WANDERER_APP}`);
  let found: ProbePod | null = null;
  await waitUntil(
    async () => {
      const pods = await client.list(
        `/api/v1/namespaces/${probe.settings.namespace}/pods?labelSelector=${selector}`,
      );
      const fresh = pods.filter((pod) => pod.metadata.uid !== before?.uid);
      for (const pod of fresh) {
        const host = able.find((one) => one.nodeRegistration.name === nodeOf(pod));
        const ready = host === undefined ? null : readyPod(pod, host.name);
        if (ready === null || ready.host === before?.host) continue;
        const target = { address: ready.address, port: PROBE_PORT, path: '/hostname' };
        const { body } = await ask(session.effects.host(ready.host), target, 5000);
        if (body === ready.name) found = ready;
      }
      const state = fresh.length > 0 ? podProblem(fresh[0]) : 'no new pod yet';
      return { met: found !== null, state };
    },
    { for: 'a pod on another worker', deadlineMs, intervalMs: 250, signal },
  );
  if (found === null) throw new KeelsonError('BUG', 'a wait ended without what it waited for');
  return found;
}

/** Starts the kubelet, then waits for its node. Heeds only a hard abort, and that only while waiting. */
async function restore({ session, client }: RescheduleOptions, host: Host): Promise<void> {
  const { context } = session;
  try {
    await host.script({ name: 'verify/start-kubelet', text: START_KUBELET, args: [KUBELET_UNIT] });
  } catch (thrown) {
    throw new KeelsonError(
      'VERIFY',
      `the kubelet could not be started again: ${toKeelsonError(thrown).message}`,
      {
        host: host.name,
        hint: `on the host: systemctl start ${KUBELET_UNIT}; a timer there does so ${RESTORE_SECONDS} s after it was stopped`,
        cause: thrown,
      },
    );
  }
  const name = context.hostNamed(host.name).nodeRegistration.name;
  await waitUntil(
    async () => {
      const node = await client.get({ apiVersion: 'v1', kind: 'Node', name });
      const problem = nodeProblem(node ?? undefined);
      return { met: problem === null, state: problem ?? '' };
    },
    {
      for: `node ${name} to be Ready again`,
      deadlineMs: READY_DEADLINE_MS,
      signal: context.signal,
      hint: 'on the host: systemctl status kubelet, journalctl -u kubelet',
    },
  );
}
