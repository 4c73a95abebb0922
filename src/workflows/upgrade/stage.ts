import pLimit from 'p-limit';
import { storedPath, takeStored } from '../../engine/store.js';
import type { FileChange, TaskPlan } from '../../engine/types.js';
import { deliverTasks } from '../deliver.js';
import type { Session } from '../session.js';
import { IMAGE_PHASES, KUBELET_PHASES, RUNTIME_PHASES, TOOL_PHASES } from './phases.js';
import { runStepTasks, type Step, tasksOf } from './run.js';

/** Hosts that get their files at once: enough to fill a line. */
const HOSTS_AT_ONCE = 8;

type Blob = FileChange & { content: { kind: 'blob'; sha256: string; size: number } };

const isBlob = (change: TaskPlan['changes'][number]): change is Blob =>
  change.kind === 'file' && change.content?.kind === 'blob';

/**
 * Brings the step's images and binaries to all hosts, while everything goes on running: images into containerd,
 * pinned; binaries into the host's store, from where they take their places later. Hosts pass on what several lack,
 * as in an apply.
 */
export async function stage(step: Step, hosts: readonly string[]): Promise<void> {
  const { session } = step;
  const images = await tasksOf(session, IMAGE_PHASES, hosts);
  const binaries = await tasksOf(session, [...RUNTIME_PHASES, ...KUBELET_PHASES, ...TOOL_PHASES], hosts);
  const delivery = await deliverTasks(session, [...images, ...binaries], session.context.signal);
  const served = { ...session, effects: { ...session.effects, ...delivery?.effects } };
  let done = false;
  try {
    await Promise.all([
      runStepTasks({ ...step, session: served }, IMAGE_PHASES, images),
      stageBinaries(served, binaries),
    ]);
    done = true;
  } finally {
    await delivery?.close(done);
  }
}

async function stageBinaries(session: Session, tasks: readonly TaskPlan[]): Promise<void> {
  const { effects, emit, context } = session;
  const limit = pLimit(HOSTS_AT_ONCE);
  const names = [...new Set(tasks.map((task) => task.host))];
  await Promise.all(
    names.map(async (name) => {
      const blobs = tasks.filter((task) => task.host === name).flatMap((task) => task.changes.filter(isBlob));
      if (blobs.length === 0) return;
      const host = effects.host(name);
      const started = context.now();
      if (effects.arrived !== undefined) {
        await effects.arrived(name, blobs);
        await takeStored(
          host,
          blobs.map(({ mode, content: { sha256 } }) => ({ path: storedPath(sha256), mode, sha256 })),
        );
      }
      await limit(async () => {
        const specs = blobs.map(({ mode, content: { sha256, size } }) => ({
          path: storedPath(sha256),
          mode,
          dirMode: 0o700,
          content: { localPath: effects.blobPath(sha256), size, sha256 },
        }));
        const written = await host.put(specs, {
          signal: context.signal,
          compress: effects.compress === true,
        });
        const durationMs = context.now() - started;
        emit({
          type: 'task-finished',
          phase: 'upgrade/stage',
          host: name,
          durationMs,
          changes: effects.arrived === undefined ? written.length : blobs.length,
        });
      });
    }),
  );
}
