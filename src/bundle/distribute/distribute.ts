import type { Host } from '../../host/types.js';
import { type ChainHost, type SourceBlob, sendAlongChain } from './chain.js';
import { CHAIN_HOSTS } from './link.js';

/** Chains that are tried with those that lack something, before the rest is sent to them directly. */
const ATTEMPTS = 3;

/** What a host lacks, in the order in which it will need it. */
export interface Want extends ChainHost {
  blobs: readonly SourceBlob[];
}

export interface DistributeOptions {
  wants: readonly Want[];
  /** Where hosts keep what they get, until it is taken from there. */
  directory: string;
  /** What leaves this machine is gzip; the hosts have it too. */
  compress?: boolean;
  signal: AbortSignal;
  /** A host that could not be a part of a chain, and why. It is served directly. */
  onLeftOut?: (host: Host, reason: string) => void;
}

/** Blobs on their way to hosts. */
export interface Delivery {
  /**
   * Resolves when these blobs are on a host, or will not come to it by a chain: who needs them looks, and sends
   * what is not there. Never rejects.
   */
  arrived(host: string, sha256s: readonly string[]): Promise<void>;
  /** Ends what is under way; nothing of it stays on hosts. */
  close(): Promise<void>;
}

/**
 * Sends each blob that several hosts lack once, along chains of them; a chain that breaks is made anew of those
 * that still lack something, without those that broke it. What few hosts lack is left to whoever needs it.
 */
export function distribute(options: DistributeOptions): Delivery {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const pending = new Map<string, Map<string, { promise: Promise<void>; resolve: () => void }>>();
  const groups = groupsOf(options.wants);
  for (const { hosts, blobs } of groups) {
    for (const { host } of hosts) {
      const own = pending.get(host.name) ?? new Map();
      for (const { sha256 } of blobs) own.set(sha256, settleable());
      pending.set(host.name, own);
    }
  }
  const settle = (host: Host, sha256: string) => pending.get(host.name)?.get(sha256)?.resolve();
  const work = (async () => {
    for (const group of groups) {
      await sendToGroup(group, { ...options, signal }, settle);
      for (const { host } of group.hosts) for (const { sha256 } of group.blobs) settle(host, sha256);
    }
  })();
  return {
    arrived: async (host, sha256s) => {
      await Promise.all(sha256s.map((sha256) => pending.get(host)?.get(sha256)?.promise));
    },
    close: async () => {
      stop.abort();
      await work;
    },
  };
}

interface Group {
  hosts: ChainHost[];
  blobs: SourceBlob[];
}

/** Blobs by the hosts that lack them, in the order of first need; only where a chain is worth it. */
export function groupsOf(wants: readonly Want[]): Group[] {
  const users = new Map<string, { blob: SourceBlob; hosts: ChainHost[] }>();
  for (const { blobs, host, address } of wants) {
    for (const blob of blobs) {
      const known = users.get(blob.sha256) ?? { blob, hosts: [] };
      known.hosts.push({ host, address });
      users.set(blob.sha256, known);
    }
  }
  const groups = new Map<string, Group>();
  for (const { blob, hosts } of users.values()) {
    if (hosts.length < CHAIN_HOSTS) continue;
    const key = hosts.map(({ host }) => host.name).join(' ');
    const group = groups.get(key) ?? { hosts, blobs: [] };
    group.blobs.push(blob);
    groups.set(key, group);
  }
  return [...groups.values()];
}

async function sendToGroup(
  { hosts, blobs }: Group,
  { directory, compress = false, signal, onLeftOut }: DistributeOptions,
  settle: (host: Host, sha256: string) => void,
): Promise<void> {
  const lacks = new Map(hosts.map(({ host }) => [host, new Set(blobs.map(({ sha256 }) => sha256))]));
  const out = new Set<Host>();
  for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt += 1) {
    const line = hosts.filter(({ host }) => !out.has(host) && (lacks.get(host)?.size ?? 0) > 0);
    const missing = blobs.filter(({ sha256 }) => line.some(({ host }) => lacks.get(host)?.has(sha256)));
    // Two of them are as well served directly.
    if (line.length < (attempt === 0 ? CHAIN_HOSTS : 2)) return;
    const failures = await sendAlongChain({
      hosts: line,
      blobs: missing,
      directory,
      compress,
      wants: (host, sha256) => lacks.get(host)?.has(sha256) === true,
      onHave: (host, sha256) => {
        lacks.get(host)?.delete(sha256);
        settle(host, sha256);
      },
      signal,
    });
    for (const [host, reason] of failures) {
      out.add(host);
      if (!signal.aborted) onLeftOut?.(host, reason);
    }
    // What failed without anybody to blame would fail again.
    if (failures.size === 0) return;
  }
}

function settleable(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
