import { availableParallelism, loadavg } from 'node:os';
import type { Host } from '../../host/types.js';

/** Hosts that the measurement sends to, since one alone may be what is slow. */
const HOSTS = 3;
/** Seconds that a link which is fast enough takes for what is sent; a slow one takes less until the time is over. */
const SAMPLE_SECONDS = 0.25;
const CHUNK = Buffer.alloc(64 * 1024);
/** Milliseconds after which nothing more is sent. */
const SEND_MS = 700;

export interface LinkSpeed {
  bytesPerSecond: number;
  /** This process was busy for most of the time, or others keep all processors, so that no link need be what is slow. */
  processorBound: boolean;
}

/**
 * How much this machine can send to several hosts at once: a quarter of a second's worth of the speed above which there
 * is nothing to choose, so that a fast link is known soon; takes a second on a slow one.
 */
export async function measureLink(
  hosts: readonly Host[],
  load: Load,
  signal: AbortSignal,
): Promise<LinkSpeed> {
  const chosen = hosts.slice(0, HOSTS);
  const bytes = (fastEnough(load) * SAMPLE_SECONDS) / chosen.length;
  // The first command opens what later ones use.
  await Promise.all(chosen.map((host) => host.query(['true'], { signal })));
  let sent = 0;
  const until = performance.now() + SEND_MS;
  async function* some(): AsyncGenerator<Buffer> {
    for (let own = 0; own < bytes && performance.now() < until; own += CHUNK.length) {
      sent += CHUNK.length;
      yield CHUNK;
    }
  }
  const began = performance.now();
  const before = process.cpuUsage();
  await Promise.all(
    chosen.map((host) => host.query(['sh', '-c', 'cat >/dev/null'], { stdin: some(), signal })),
  );
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  const [queue = 0] = loadavg();
  return {
    bytesPerSecond: (sent / wallMs) * 1000,
    processorBound: (user + system) / 1000 > wallMs / 2 || queue > 2 * availableParallelism(),
  };
}

export interface Load {
  hosts: number;
  /** Bytes of all copies together. */
  total: number;
  /** Bytes of each blob once. */
  distinct: number;
  /** Bytes of what is not compressed yet, all copies together. */
  plain?: number;
}

/** Below this many hosts a chain gains less than it costs. */
export const CHAIN_HOSTS = 3;
/** Bytes that are sent before anybody would notice. */
const SMALL_BYTES = 200e6;
/** Seconds of sending that are worth a chain. */
const WORTH_SECONDS = 15;
/** Bytes per second (1.2 Gbit/s) above which processors and disks are what is slow, not this machine's link. */
const FAST_LINK = 150e6;

/** Whether a chain may be worth while, before anything is measured. */
export function mayChain({ hosts, total, distinct }: Load): boolean {
  return hosts >= CHAIN_HOSTS && total >= SMALL_BYTES && total >= 2 * distinct;
}

/** Bytes per second of this machine's link from which on a chain saves too little. */
function chainLimit(load: Load): number {
  return mayChain(load) ? Math.min(FAST_LINK, (load.total - load.distinct) / WORTH_SECONDS) : 0;
}

/** Whether hosts pass on what they get: where this machine's link is what everybody would wait for. */
export function choosesChain(load: Load, link: LinkSpeed): boolean {
  return mayChain(load) && !link.processorBound && link.bytesPerSecond <= chainLimit(load);
}

/** Bytes whose compression saves some seconds on a slow link. */
const PLAIN_BYTES = 100e6;
/** Bytes per second (200 Mbit/s) that a processor can fill with what it compresses: zlib takes some 80 MB/s at its quickest. */
const COMPRESS_LIMIT = 25e6;

/** Whether compression may be worth while, before anything is measured. */
export function mayCompress({ plain = 0 }: Load): boolean {
  return plain >= PLAIN_BYTES;
}

/** Whether what goes out is compressed: where the link is slower than a processor that compresses. */
export function choosesCompression(load: Load, link: LinkSpeed): boolean {
  return mayCompress(load) && !link.processorBound && link.bytesPerSecond <= COMPRESS_LIMIT;
}

/** Bytes per second above which nothing has to be chosen. */
function fastEnough(load: Load): number {
  return Math.max(chainLimit(load), mayCompress(load) ? COMPRESS_LIMIT : 0);
}
