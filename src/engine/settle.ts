import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { Emit } from './events.js';
import type { ClusterPhase, EngineContext, Phase } from './phase.js';

export interface SettleOptions<C extends EngineContext> {
  /** Of these the ones that wait, in order; others are left alone. */
  phases: readonly Phase<C>[];
  context: C;
  emit: Emit;
  /** Soft stop: nothing more is awaited. */
  stop: AbortSignal;
}

/**
 * The end of a run that changed something: what its phases wait for is looked at once more, and awaited where it does
 * not hold, whatever it was when the run was planned. A restarted API server or etcd member, or pods that moved,
 * may have undone it since.
 * @throws what the wait throws, with its phase
 */
export async function settle<C extends EngineContext>(options: SettleOptions<C>): Promise<void> {
  const { context, stop } = options;
  for (const phase of options.phases) {
    if (stop.aborted) return;
    if (phase.target !== 'cluster' || phase.awaits !== true || phase.runIf?.(context) === false) continue;
    try {
      await awaitPhase(phase, options);
    } catch (thrown) {
      const error = toKeelsonError(thrown).within({ phase: phase.name });
      options.emit({ type: 'task-failed', phase: phase.name, host: '', error });
      throw error;
    }
  }
}

async function awaitPhase<C extends EngineContext>(
  phase: ClusterPhase<C>,
  { context, emit }: SettleOptions<C>,
): Promise<void> {
  const { changes } = await phase.check(context);
  if (changes.length === 0) return;
  const started = Date.now();
  const task = { phase: phase.name, host: '' };
  emit({ type: 'task-started', ...task, changes: changes.length });
  for (const change of changes) {
    const code = change.kind === 'action' ? phase.actions?.[change.name] : undefined;
    if (change.kind !== 'action' || code === undefined)
      throw new KeelsonError('BUG', `phase ${phase.name} does more than wait`);
    emit({ type: 'change-started', ...task, change });
    await code(context, change);
    emit({ type: 'change-finished', ...task, change });
  }
  emit({ type: 'task-finished', ...task, durationMs: Date.now() - started, changes: changes.length });
}
