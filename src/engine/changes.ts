import { KeelsonError } from '../errors/keelson-error.js';
import type { FileSpec, Host } from '../host/types.js';
import { recordDigests } from './digests.js';
import { changePackages } from './packages.js';
import { takeStored } from './store.js';
import type { ActionChange, Change, FileChange, ImageChange, ObjectChange, PackageChange } from './types.js';

/** How changes reach the world; handed in, so that the engine knows neither bundles nor the API. */
export interface Effects {
  host: (name: string) => Host;
  /** Bytes of a secret artefact. */
  secret: (artefact: string) => Promise<Buffer>;
  /** Local path of a verified blob of the bundle. */
  blobPath: (sha256: string) => string;
  /** Resolves when what other hosts pass on for these changes has come, or will not; absent where none does. */
  arrived?: (host: string, changes: readonly Change[]) => Promise<void>;
  /** Large files go out as gzip: the way to the hosts is slow. */
  compress?: boolean;
  importImages: (host: Host, images: readonly ImageChange[]) => Promise<void>;
  applyObjects: (changes: readonly ObjectChange[]) => Promise<void>;
}

export interface ExecuteOptions {
  /** Host in the inventory; '' for cluster phases. */
  host: string;
  changes: readonly Change[];
  effects: Effects;
  action: (change: ActionChange) => Promise<void>;
  onStart: (change: Change) => void;
  onFinish: (change: Change) => void;
  /** Asked between changes; true stops before the next one. */
  stopped: () => boolean;
}

/** Executes changes in order; neighbours of one kind go together (one stream of files, one import). */
export async function executeChanges(options: ExecuteOptions): Promise<void> {
  for (const batch of batches(options.changes)) {
    if (options.stopped()) throw new KeelsonError('ABORTED', 'stopped between two changes, as asked');
    for (const change of batch) options.onStart(change);
    await executeBatch(batch, options);
    for (const change of batch) options.onFinish(change);
  }
}

function batches(changes: readonly Change[]): Change[][] {
  const result: Change[][] = [];
  for (const change of changes) {
    const last = result.at(-1);
    const joins =
      last?.[0] !== undefined &&
      batchKey(last[0]) === batchKey(change) &&
      change.kind !== 'action' &&
      change.kind !== 'service';
    if (joins) last?.push(change);
    else result.push([change]);
  }
  return result;
}

function batchKey(change: Change): string {
  return change.kind === 'file' ? `file:${change.op === 'remove'}` : change.kind;
}

async function executeBatch(
  batch: readonly Change[],
  { host, effects, action }: ExecuteOptions,
): Promise<void> {
  const first = batch[0];
  if (first === undefined) return;
  switch (first.kind) {
    case 'file': {
      const files = batch.filter((change): change is FileChange => change.kind === 'file');
      const target = effects.host(host);
      if (first.op === 'remove') return target.remove(files.map((file) => file.path));
      const blobs = files.flatMap(({ path, mode, content }) =>
        content?.kind === 'blob' ? [{ path, mode, sha256: content.sha256 }] : [],
      );
      if (blobs.length > 0) {
        await effects.arrived?.(host, files);
        await takeStored(target, blobs);
      }
      const specs = await Promise.all(files.map((file) => fileSpec(file, effects)));
      await target.put(specs, blobs.length > 0 && effects.compress === true ? { compress: true } : {});
      if (blobs.length > 0) await recordDigests(target, blobs);
      return;
    }
    case 'service':
      return effects.host(host).service(first.op, first.op === 'daemon-reload' ? undefined : first.unit);
    case 'package':
      return changePackages(
        effects.host(host),
        batch.filter((change): change is PackageChange => change.kind === 'package'),
      );
    case 'image': {
      const images = batch.filter((change): change is ImageChange => change.kind === 'image');
      await effects.arrived?.(host, images);
      return effects.importImages(effects.host(host), images);
    }
    case 'object':
      return effects.applyObjects(batch.filter((change): change is ObjectChange => change.kind === 'object'));
    case 'action':
      return action(first);
  }
}

async function fileSpec(change: FileChange, effects: Effects): Promise<FileSpec> {
  const spec = {
    path: change.path,
    mode: change.mode,
    ...(change.dirMode === undefined ? {} : { dirMode: change.dirMode }),
  };
  const { content } = change;
  switch (content?.kind) {
    case 'text':
      return { ...spec, content: Buffer.from(content.text) };
    case 'secret':
      return { ...spec, content: await effects.secret(content.artefact) };
    case 'blob':
      return {
        ...spec,
        content: { localPath: effects.blobPath(content.sha256), size: content.size, sha256: content.sha256 },
      };
    case undefined:
      throw new KeelsonError('BUG', `file change of ${change.path} has no content`);
  }
}
