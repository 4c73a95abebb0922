import type { ClusterClient } from '../../cluster/client.js';
import { eitherSignal } from '../../engine/signals.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { isCordoned, nodeRef, setCordoned } from '../../phases/nodes/cordon.js';
import { drainNode } from '../../phases/nodes/drain.js';
import type { DrainPolicy } from '../../phases/nodes/drain-pods.js';
import { mayBegin } from './gate.js';
import { awaitCluster } from './health.js';
import { hostTurn } from './host-turn.js';
import type { Step } from './run.js';

export interface DrainSettings extends DrainPolicy {
  /** Milliseconds until a drain is given up. */
  timeoutMs: number;
}

/** On a node that an upgrade has cordoned, so that whoever goes on knows that it may be uncordoned. */
const CORDONED_ANNOTATION = 'keelson.dev/upgrade-cordoned';

/**
 * How many nodes may be away at once: a number, or a part of all as `25%`, at least one.
 * @throws KeelsonError USAGE for other text
 */
export function waveSize(maxUnavailable: string, nodes: number): number {
  const [, number, percent] = /^(\d+)(%?)$/.exec(maxUnavailable) ?? [];
  if (number === undefined || Number(number) === 0 || (percent === '%' && Number(number) > 100)) {
    throw new KeelsonError('USAGE', `--max-unavailable: "${maxUnavailable}" is neither a number nor a part`, {
      hint: 'write 1, 3 or 25%',
    });
  }
  return percent === '%' ? Math.max(1, Math.floor((nodes * Number(number)) / 100)) : Number(number);
}

/** Names in waves of that size, in order. */
export function wavesOf(names: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(names.length / size) }, (_, index) =>
    names.slice(index * size, (index + 1) * size),
  );
}

/**
 * Takes workers through the step, wave by wave; after each wave nodes and add-ons have to be well, or nothing
 * more begins.
 * @param drain null leaves pods where they are
 * @returns number of changes
 */
export async function upgradeWorkers(
  step: Step,
  names: readonly string[],
  options: { size: number; drain: DrainSettings | null },
): Promise<number> {
  const { session } = step;
  let changed = 0;
  for (const wave of wavesOf(names, options.size)) {
    await mayBegin(step);
    await awaitCluster(session.context);
    const ended = await Promise.allSettled(wave.map((name) => workerTurn(step, name, options.drain)));
    const failures = ended.flatMap((result) =>
      result.status === 'rejected' ? [toKeelsonError(result.reason)] : [],
    );
    for (const result of ended) if (result.status === 'fulfilled') changed += result.value;
    const [first, ...others] = failures;
    if (first === undefined) continue;
    for (const { host = '', message } of others)
      session.emit({ type: 'note', host, level: 'warning', text: message });
    throw first;
  }
  return changed;
}

async function workerTurn(step: Step, name: string, drain: DrainSettings | null): Promise<number> {
  const { context } = step.session;
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to drain with');
  const node = context.hostNamed(name).nodeRegistration.name;
  if (drain !== null) await drained(step, client, name, node, drain);
  try {
    const changed = await hostTurn(step, name);
    await uncordoned(client, node);
    return changed;
  } catch (error) {
    // One that is lost gets no new pods; the next run goes on with it.
    if (toKeelsonError(error).code !== 'CONNECTION') await uncordoned(client, node).catch(() => undefined);
    throw error;
  }
}

async function drained(step: Step, client: ClusterClient, host: string, name: string, drain: DrainSettings) {
  const { session, stop } = step;
  const { context, emit } = session;
  const node = await client.get(nodeRef(name));
  if (node === null) throw new KeelsonError('CONFLICT', `there is no node ${name}`, { host });
  // One that somebody else has cordoned stays so afterwards.
  if (!isCordoned(node)) {
    await client.patch(nodeRef(name), { metadata: { annotations: { [CORDONED_ANNOTATION]: 'true' } } });
    await setCordoned(client, node, true);
  }
  const started = context.now();
  try {
    const pods = await drainNode(client, name, {
      ...drain,
      graceSeconds: null,
      signal: eitherSignal(context.signal, stop),
      onState: (last) => emit({ type: 'waiting', phase: 'node/drain', host, for: 'pods to leave', last }),
    });
    const durationMs = context.now() - started;
    emit({ type: 'task-finished', phase: 'node/drain', host, durationMs, changes: pods });
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    // Where someone asked to stop, the next run begins with this node anyway.
    await uncordoned(client, name);
    if (error.code !== 'DEADLINE') throw error.within({ host });
    throw new KeelsonError(
      'DEADLINE',
      `${host} is not upgraded, because its pods do not leave: ${error.message}`,
      {
        host,
        phase: 'node/drain',
        hint: `${host} takes pods again. Let the budget allow a pod to go (more replicas), move the pods yourself, or give --no-drain to leave them where they are; then run the same command again: it goes on with ${host}`,
        cause: error,
        details: error.details,
      },
    );
  }
}

/**
 * Lets nodes take pods again that an interrupted run has upgraded and left cordoned.
 * @param hosts names of workers
 */
export async function uncordonLeft({ session }: Step, hosts: readonly string[]): Promise<void> {
  const { context } = session;
  const client = context.api();
  if (client === null) return;
  await Promise.all(hosts.map((name) => uncordoned(client, context.hostNamed(name).nodeRegistration.name)));
}

async function uncordoned(client: ClusterClient, name: string): Promise<void> {
  const node = await client.get(nodeRef(name));
  if (node?.metadata.annotations?.[CORDONED_ANNOTATION] === undefined) return;
  await setCordoned(client, node, false);
  await client.patch(nodeRef(name), { metadata: { annotations: { [CORDONED_ANNOTATION]: null } } });
}
