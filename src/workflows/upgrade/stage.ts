import pLimit from 'p-limit';
import { storedPath } from '../../engine/store.js';
import type { FileChange, TaskPlan } from '../../engine/types.js';
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
 * pinned; binaries into the host's store, from where they take their places later.
 * @returns number of images and files that were brought
 */
export async function stage(step: Step, hosts: readonly string[]): Promise<number> {
  const { session } = step;
  const images = await tasksOf(session, IMAGE_PHASES, hosts);
  const binaries = await tasksOf(session, [...RUNTIME_PHASES, ...KUBELET_PHASES, ...TOOL_PHASES], hosts);
  const [imported, files] = await Promise.all([
    runStepTasks(step, IMAGE_PHASES, images),
    stageBinaries(session, binaries),
  ]);
  return imported + files;
}

async function stageBinaries(session: Session, tasks: readonly TaskPlan[]): Promise<number> {
  const { effects, emit, context } = session;
  const limit = pLimit(HOSTS_AT_ONCE);
  const names = [...new Set(tasks.map((task) => task.host))];
  const counts = await Promise.all(
    names.map((name) =>
      limit(async () => {
        const blobs = tasks
          .filter((task) => task.host === name)
          .flatMap((task) => task.changes.filter(isBlob));
        if (blobs.length === 0) return 0;
        const started = context.now();
        const specs = blobs.map(({ mode, content: { sha256, size } }) => ({
          path: storedPath(sha256),
          mode,
          dirMode: 0o700,
          content: { localPath: effects.blobPath(sha256), size, sha256 },
        }));
        const written = await effects.host(name).put(specs, { signal: context.signal });
        const durationMs = context.now() - started;
        emit({
          type: 'task-finished',
          phase: 'upgrade/stage',
          host: name,
          durationMs,
          changes: written.length,
        });
        return written.length;
      }),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
