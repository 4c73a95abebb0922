import { archivedBlobs } from '../bundle/archive.js';
import { type Bundle, blobPath } from '../bundle/bundle.js';
import type { SourceBlob } from '../bundle/distribute/chain.js';
import { type Delivery, distribute, type Want } from '../bundle/distribute/distribute.js';
import {
  choosesChain,
  choosesCompression,
  type Load,
  mayChain,
  mayCompress,
  measureLink,
} from '../bundle/distribute/link.js';
import { plainFiles } from '../bundle/lock.js';
import type { Effects } from '../engine/changes.js';
import { DELIVERED_DIR, STORE_DIR } from '../engine/store.js';
import type { Change, TaskPlan } from '../engine/types.js';
import type { Host } from '../host/types.js';
import { hostBundle } from '../phases/host-bundle.js';
import type { Session } from './session.js';

/** Prints what a host holds already: `store` or `content`, and a digest; and `can gzip`. */
const HOLDS = `ls -1 ${DELIVERED_DIR} ${STORE_DIR} 2>/dev/null | grep -x '[0-9a-f]\\{64\\}' | sed 's/^/store /'
ctr --namespace k8s.io content list --quiet 2>/dev/null | sed 's/^sha256:/content /'
command -v gzip >/dev/null && echo can gzip
exit 0
`;

/** Brings the blobs of a run's changes to its hosts, beside the run itself. */
export interface RunDelivery {
  /** What the run's effects have to know of it. */
  effects: Pick<Effects, 'arrived' | 'compress'>;
  /** @param done everything was installed: what was brought and not needed after all goes too */
  close: (done: boolean) => Promise<void>;
}

interface Wanting extends Want {
  canGzip: boolean;
}

/**
 * Lets hosts pass on what several of them lack, and compresses what leaves this machine, where that is worth while
 * (`spec.distribution`). Null where everything is sent directly as it is.
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
  const programs = new Set(plainFiles(context.bundle.lock).map(({ sha256 }) => sha256));
  const names = [...new Set(pending.map((task) => task.host))];
  const all = names.map((name) => wantOf(session, name, pending));
  const mayChoose = (load: Load) => mayCompress(load) || (distribution === 'auto' && mayChain(load));
  // Asked before hosts are: most runs end here.
  if (distribution === 'auto' && !mayChoose(loadOf(all, programs))) return null;
  const wants = await Promise.all(all.map((want) => lackingOf(want, programs, signal)));
  const load = loadOf(wants, programs);
  const hosts = wants.filter(({ blobs }) => blobs.length > 0).map(({ host }) => host);
  const link = mayChoose(load) ? await measureLink(hosts, load, signal) : null;
  const chain = distribution === 'chain' || (link !== null && choosesChain(load, link));
  const compress = link !== null && choosesCompression(load, link) && wants.every(({ canGzip }) => canGzip);
  if (!chain && !compress) return null;
  const note = (host: string, text: string) => emit({ type: 'note', host, level: 'info', text });
  if (link !== null) note('', chosen(load, link.bytesPerSecond, { chain, compress }));
  if (!chain) return { effects: { compress }, close: async () => undefined };
  const delivery = distribute({
    wants,
    directory: DELIVERED_DIR,
    compress,
    signal,
    onLeftOut: (host, reason) => note(host.name, `is served directly: ${reason}`),
  });
  return {
    effects: {
      compress,
      arrived: (host, changes) => arrived(delivery, hostBundle(context, host), host, changes),
    },
    close: async (done) => {
      await delivery.close();
      const remove = done ? 'rm -rf' : 'rmdir';
      const tidy = { name: 'store/tidy', text: `${remove} ${DELIVERED_DIR} 2>/dev/null\nexit 0\n` };
      await Promise.allSettled(names.map((name) => effects.host(name).script(tidy)));
    },
  };
}

function chosen(
  load: Load,
  bytesPerSecond: number,
  { chain, compress }: { chain: boolean; compress: boolean },
): string {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const ways = [
    ...(chain
      ? [
          `hosts pass on what they get, ${megabytes(load.distinct)} instead of ${megabytes(load.total)} from here`,
        ]
      : []),
    ...(compress ? ['programs go out compressed'] : []),
  ];
  return `this machine sends ${megabytes(bytesPerSecond)}/s: ${ways.join('; ') || 'everything is sent directly'}`;
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
  const bundle = hostBundle(context, name);
  const blobs = new Map<string, SourceBlob>();
  for (const change of tasks.filter((task) => task.host === name).flatMap((task) => task.changes)) {
    for (const { sha256, size } of blobsOf(bundle, change))
      blobs.set(sha256, { sha256, size, file: blobPath(bundle, sha256) });
  }
  return { host: effects.host(name), address: context.hostNamed(name).nodeIP, blobs: [...blobs.values()] };
}

/** Without what an earlier run has brought, and without layers that containerd has. */
async function lackingOf(want: Want, programs: ReadonlySet<string>, signal: AbortSignal): Promise<Wanting> {
  const has = await held(want.host, signal);
  const blobs = want.blobs.filter(
    ({ sha256 }) => !has.store.has(sha256) && (programs.has(sha256) || !has.content.has(sha256)),
  );
  return { ...want, blobs, canGzip: has.canGzip };
}

async function held(host: Host, signal: AbortSignal) {
  const { stdout } = await host.script({ name: 'store/held', text: HOLDS }, { signal });
  const lines = stdout.toString('utf8').split('\n');
  const of = (kind: string) =>
    new Set(lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1)));
  return { store: of('store'), content: of('content'), canGzip: of('can').has('gzip') };
}

function loadOf(wants: readonly Want[], programs: ReadonlySet<string>): Load {
  const every = wants.flatMap(({ blobs }) => blobs);
  const distinct = new Map(every.map(({ sha256, size }) => [sha256, size]));
  const sum = (sizes: Iterable<number>) => [...sizes].reduce((total, size) => total + size, 0);
  return {
    hosts: wants.filter(({ blobs }) => blobs.length > 0).length,
    total: sum(every.map(({ size }) => size)),
    distinct: sum(distinct.values()),
    plain: sum(every.filter(({ sha256 }) => programs.has(sha256)).map(({ size }) => size)),
  };
}
