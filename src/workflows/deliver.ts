import { archivedBlobs } from '../bundle/archive.js';
import { type Bundle, blobPath } from '../bundle/bundle.js';
import type { SourceBlob } from '../bundle/distribute/chain.js';
import { type Delivery, distribute, type Want } from '../bundle/distribute/distribute.js';
import { choosesChain, type Load, mayChain, measureLink } from '../bundle/distribute/link.js';
import { DELIVERED_DIR } from '../engine/store.js';
import type { Change, TaskPlan } from '../engine/types.js';
import type { Host } from '../host/types.js';
import type { Session } from './session.js';

/** Prints what a host holds already: `store` or `content`, and a digest. */
const HOLDS = `ls -1 ${DELIVERED_DIR} 2>/dev/null | sed 's/^/store /'
ctr --namespace k8s.io content list --quiet 2>/dev/null | sed 's/^sha256:/content /'
exit 0
`;

/** Brings the blobs of a run's changes to its hosts, beside the run itself. */
export interface RunDelivery {
  /** Resolves when what these changes need is on the host, or will not come by itself. */
  arrived: (host: string, changes: readonly Change[]) => Promise<void>;
  /** @param done everything was installed: what was brought and not needed after all goes too */
  close: (done: boolean) => Promise<void>;
}

/**
 * Lets hosts pass on what several of them lack, where that is worth while (`spec.distribution`): then this machine
 * sends each blob about once. Null where everything is sent directly.
 */
export async function deliverTasks(
  session: Session,
  tasks: readonly TaskPlan[],
  signal: AbortSignal,
): Promise<RunDelivery | null> {
  const { context, effects, emit } = session;
  const { distribution } = context.config.spec;
  const pending = tasks.filter((task) => task.changes.some(carries));
  if (distribution === 'direct' || pending.length === 0) return null;
  const { bundle } = context;
  const names = [...new Set(pending.map((task) => task.host))];
  const all = names.map((name) => wantOf(session, name, pending));
  // Asked before hosts are: most runs end here.
  if (distribution === 'auto' && !mayChain(loadOf(all))) return null;
  const wants = await Promise.all(all.map((want) => lackingOf(bundle, want, signal)));
  const load = loadOf(wants);
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const note = (host: string, text: string) => emit({ type: 'note', host, level: 'info', text });
  if (distribution === 'auto') {
    if (!mayChain(load)) return null;
    const link = await measureLink(
      wants.map((want) => want.host),
      load,
      signal,
    );
    if (!choosesChain(load, link)) return null;
    note(
      '',
      `this machine sends ${megabytes(link.bytesPerSecond)}/s: hosts pass on what they get, ${megabytes(load.distinct)} instead of ${megabytes(load.total)} from here`,
    );
  }
  const delivery = distribute({
    wants,
    directory: DELIVERED_DIR,
    signal,
    onLeftOut: (host, reason) => note(host.name, `is served directly: ${reason}`),
  });
  return {
    arrived: (host, changes) => arrived(delivery, bundle, host, changes),
    close: async (done) => {
      await delivery.close();
      const remove = done ? 'rm -rf' : 'rmdir';
      const tidy = { name: 'store/tidy', text: `${remove} ${DELIVERED_DIR} 2>/dev/null\nexit 0\n` };
      await Promise.allSettled(names.map((name) => effects.host(name).script(tidy)));
    },
  };
}

const carries = (change: Change): boolean =>
  change.kind === 'image' || (change.kind === 'file' && change.content?.kind === 'blob');

function arrived(
  delivery: Delivery,
  bundle: Bundle,
  host: string,
  changes: readonly Change[],
): Promise<void> {
  return delivery.arrived(
    host,
    changes.flatMap((change) => blobsOf(bundle, change).map(({ sha256 }) => sha256)),
  );
}

function blobsOf(bundle: Bundle, change: Change): { sha256: string; size: number }[] {
  if (change.kind === 'file') return change.content?.kind === 'blob' ? [change.content] : [];
  if (change.kind !== 'image' || bundle.lock.imagesBy === 'host') return [];
  return archivedBlobs(bundle.lock.images.filter((image) => image.reference === change.reference));
}

/** Everything that a host's changes need, each blob once, in the order of the phases. */
function wantOf({ context, effects }: Session, name: string, tasks: readonly TaskPlan[]): Want {
  const blobs = new Map<string, SourceBlob>();
  for (const change of tasks.filter((task) => task.host === name).flatMap((task) => task.changes)) {
    for (const { sha256, size } of blobsOf(context.bundle, change))
      blobs.set(sha256, { sha256, size, file: blobPath(context.bundle, sha256) });
  }
  return { host: effects.host(name), address: context.hostNamed(name).nodeIP, blobs: [...blobs.values()] };
}

/** Without what an earlier run has brought, and without layers that containerd has. */
async function lackingOf(bundle: Bundle, want: Want, signal: AbortSignal): Promise<Want> {
  const programs = new Set(bundle.lock.files.map(({ sha256 }) => sha256));
  const has = await held(want.host, signal);
  const blobs = want.blobs.filter(
    ({ sha256 }) => !has.store.has(sha256) && (programs.has(sha256) || !has.content.has(sha256)),
  );
  return { ...want, blobs };
}

async function held(host: Host, signal: AbortSignal) {
  const { stdout } = await host.script({ name: 'store/held', text: HOLDS }, { signal });
  const lines = stdout.toString('utf8').split('\n');
  const of = (kind: string) =>
    new Set(lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1)));
  return { store: of('store'), content: of('content') };
}

function loadOf(wants: readonly Want[]): Load {
  const distinct = new Map(wants.flatMap(({ blobs }) => blobs.map(({ sha256, size }) => [sha256, size])));
  const sum = (sizes: Iterable<number>) => [...sizes].reduce((total, size) => total + size, 0);
  return {
    hosts: wants.filter(({ blobs }) => blobs.length > 0).length,
    total: sum(wants.flatMap(({ blobs }) => blobs.map(({ size }) => size))),
    distinct: sum(distinct.values()),
  };
}
