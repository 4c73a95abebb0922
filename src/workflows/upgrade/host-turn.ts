import { recheck } from '../../engine/planner.js';
import type { TaskPlan } from '../../engine/types.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { CONTAINERD_UNIT } from '../../manifests/containerd.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { awaitNode, awaitPods } from './health.js';
import {
  forgetPrevious,
  keepPrevious,
  manifestPath,
  type Previous,
  previousOf,
  restorePrevious,
  STATIC_PODS,
  type StaticPod,
} from './keep.js';
import { minorsBetween } from './path.js';
import { KUBELET_PHASES, RUNTIME_PHASES, STATIC_POD_PHASES } from './phases.js';
import { refuseFullDisk } from './room.js';
import { runStepTasks, type Step, tasksOf } from './run.js';
import { type Manifests, replaceStaticPods } from './static-pods.js';

/**
 * Takes one host through the step: runtime, static pods and with them the kubelet, each healthy before the next. A
 * host that does not come up goes back by itself to what it was.
 * @returns number of changes
 * @throws what was wrong, with what was done about it in its message
 */
export async function hostTurn(step: Step, name: string): Promise<number> {
  const { session, hop } = step;
  const { context, effects } = session;
  const host = effects.host(name);
  const phases = [...RUNTIME_PHASES, ...STATIC_POD_PHASES, ...KUBELET_PHASES];
  const tasks = await tasksOf(session, phases, [name]);
  const own = (part: typeof phases) =>
    tasks.filter((task) => task.host === name && part.some((phase) => phase.name === task.phase));
  if (tasks.length > 0) await refuseFullDisk(context, host);
  await keepPrevious(context, host, hop);
  try {
    const runtime = await runStepTasks(step, RUNTIME_PHASES, own([...RUNTIME_PHASES]));
    const kubelet = withOneRestart(own([...KUBELET_PHASES]));
    const pods = await staticPods(step, host, own([...STATIC_POD_PHASES]), kubelet);
    await awaitNode(context, host, hop.to);
    return runtime + pods;
  } catch (thrown) {
    const error = toKeelsonError(thrown).within({ host: name });
    // Where nobody knows what happened, and where someone asked to stop, the next run looks again.
    if (['ABORTED', 'CONNECTION', 'BUG'].includes(error.code)) throw error;
    throw await wentBack(step, host, error);
  }
}

/**
 * Static pods and the kubelet in one go. A kubelet knows a static pod by a digest over all fields that its version
 * has (pkg/kubelet/config/common.go, applyDefaults): one of another minor takes those that run for strangers, ends
 * them all at once and starts its own. So all of them stop in order before it comes, and start under it.
 * @returns number of changes
 */
async function staticPods(
  step: Step,
  host: Host,
  tasks: readonly TaskPlan[],
  kubelet: readonly TaskPlan[],
): Promise<number> {
  const { session, hop, journal } = step;
  const { context, emit, readers } = session;
  const changed = manifestsIn(tasks);
  const strangers = kubelet.length > 0 && minorsBetween(hop.from, hop.to) !== 0;
  const manifests = strangers ? new Map([...(await manifestsOn(host)), ...changed]) : changed;
  const started = context.now();
  let made = changed.size;
  const replaceKubelet = async () => {
    made += await runStepTasks(step, KUBELET_PHASES, kubelet);
    if (!kubelet.some(startsKubelet)) await host.service('restart', KUBELET_UNIT);
  };
  if (manifests.size > 0) {
    const phase = 'upgrade/static-pods';
    emit({ type: 'task-started', phase, host: host.name, changes: manifests.size });
    await journal.begin(tasks);
    await replaceStaticPods(context, host, manifests, hop.to, replaceKubelet);
    await journal.finish(tasks);
    const durationMs = context.now() - started;
    emit({ type: 'task-finished', phase, host: host.name, durationMs, changes: manifests.size });
  } else {
    made += await runStepTasks(step, KUBELET_PHASES, kubelet);
  }
  // What an interrupted run left behind may still be on its way.
  await awaitPods(context, host, await podsOf(host), hop.to);
  const open = await recheck(
    STATIC_POD_PHASES.filter((phase) => tasks.some((task) => task.phase === phase.name)),
    host.name,
    context,
    readers,
  );
  for (const [phase, { standing, reasons }] of open) {
    if (standing !== 'satisfied')
      throw new KeelsonError('CONFLICT', `still ${standing} after the upgrade: ${reasons.join('; ')}`, {
        phase,
      });
  }
  return made;
}

/** Static pods that a host has. */
async function podsOf(host: Host): Promise<StaticPod[]> {
  return [...(await manifestsOn(host)).keys()];
}

/** Their manifests. */
async function manifestsOn(host: Host): Promise<Map<StaticPod, Buffer>> {
  const seen = await host.read({ files: STATIC_PODS.map(manifestPath) });
  return new Map(
    STATIC_PODS.flatMap((pod) => {
      const content = seen.files.get(manifestPath(pod))?.content;
      return content === undefined ? [] : [[pod, content] as const];
    }),
  );
}

/** Manifests that tasks write. */
function manifestsIn(tasks: readonly TaskPlan[]): Manifests {
  const changes = tasks.flatMap((task) => task.changes);
  return new Map(
    STATIC_PODS.flatMap((pod) => {
      const change = changes.find((file) => file.kind === 'file' && file.path === manifestPath(pod));
      return change?.kind === 'file' && change.content?.kind === 'text'
        ? [[pod, Buffer.from(change.content.text)] as const]
        : [];
    }),
  );
}

const startsKubelet = ({ changes }: TaskPlan): boolean =>
  changes.some((change) => change.kind === 'service' && (change.op === 'restart' || change.op === 'start'));

/** The kubelet is restarted once, when all that it reads is in place. */
export function withOneRestart(tasks: readonly TaskPlan[]): TaskPlan[] {
  const restarts = (task: TaskPlan) =>
    task.changes.some((change) => change.kind === 'service' && change.op === 'restart');
  const last = tasks.findLast(restarts);
  return tasks.map((task) =>
    task === last
      ? task
      : {
          ...task,
          changes: task.changes.filter((change) => change.kind !== 'service' || change.op !== 'restart'),
        },
  );
}

/** Whether an error of `hostTurn` left its host as it was before. */
export function isBack(error: unknown): boolean {
  return error instanceof KeelsonError && (error.details as { back?: boolean } | undefined)?.back === true;
}

async function wentBack(step: Step, host: Host, error: KeelsonError): Promise<KeelsonError> {
  const { hop, session } = step;
  const { context, emit } = session;
  const text = `${error.message}; going back to ${hop.from}`;
  emit({ type: 'note', host: host.name, level: 'warning', text });
  const said = (back: boolean, message: string, hint: string) =>
    new KeelsonError(error.code, message, {
      host: host.name,
      phase: error.phase,
      hint,
      cause: error,
      details: { back, details: error.details },
    });
  const mend = error.hint === undefined ? '' : `${error.hint}; `;
  try {
    const previous = await previousOf(host, hop);
    if (previous === null) return error;
    await goBack(step, host, previous);
    await awaitNode(context, host, hop.from);
    await forgetPrevious(host);
  } catch (thrown) {
    const { message } = toKeelsonError(thrown);
    return said(
      false,
      `${error.message}; ${host.name} could not go back to ${hop.from} either: ${message}`,
      `${mend}what it had before lies in /var/lib/keelson/previous on ${host.name}`,
    );
  }
  return said(
    true,
    `${host.name} is back at ${hop.from}, because: ${error.message}`,
    `${mend}then run the same command again, or keelson upgrade rollback to take the others back too`,
  );
}

async function goBack({ session, hop }: Step, host: Host, previous: Previous): Promise<void> {
  const { context } = session;
  const texts = await restorePrevious(host, previous);
  await host.service('daemon-reload');
  if (texts.some((path) => path.includes('containerd'))) await host.service('restart', CONTAINERD_UNIT);
  const now = await manifestsOn(host);
  const strangers = minorsBetween(hop.from, hop.to) !== 0;
  const manifests = new Map(
    STATIC_PODS.flatMap((pod): [StaticPod, Buffer | null][] => {
      const before = previous.manifests.get(pod) ?? null;
      const current = now.get(pod) ?? null;
      if (before === null) return current === null ? [] : [[pod, null]];
      return current?.equals(before) === true && !strangers ? [] : [[pod, before]];
    }),
  );
  if (manifests.size === 0) await host.service('restart', KUBELET_UNIT);
  else await replaceStaticPods(context, host, manifests, hop.from);
  await awaitPods(context, host, [...previous.manifests.keys()], hop.from);
}
