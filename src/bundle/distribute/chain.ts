import { randomBytes, randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { createReadStream } from 'node:fs';
import type { Host } from '../../host/types.js';
import { oneTimeKey } from './one-time-key.js';
import { type Relay, startRelay } from './relay.js';

/** Milliseconds that a host has to take the stream; whoever is not ready by then is left out. */
const READY_MS = 15_000;
/** Milliseconds without a byte or a word after which a chain is given up. */
const STALL_MS = 60_000;
/** Ports of the default service-node-port-range: a firewall that lets a cluster work leaves them open. */
const PORTS = { from: 30_000, to: 32_767 };
const PORT_TRIES = 4;

export interface ChainHost {
  host: Host;
  /** Address that other hosts reach it at. */
  address: string;
}

/** A blob of the bundle, as a file of this machine. */
export interface SourceBlob {
  sha256: string;
  /** Bytes. */
  size: number;
  file: string;
}

export interface ChainOptions {
  /** In the order in which they feed each other. */
  hosts: readonly ChainHost[];
  blobs: readonly SourceBlob[];
  /** Where a host keeps what it gets. */
  directory: string;
  /** What leaves this machine is gzip. Hosts pass on what was in it. */
  compress?: boolean;
  /** Whether a host is to keep a blob, or only to pass it on. */
  wants: (host: Host, sha256: string) => boolean;
  /** A blob is on a host, verified. */
  onHave: (host: Host, sha256: string) => void;
  signal: AbortSignal;
}

/**
 * Sends blobs once, to the first host; each host passes on what comes while it comes, over a one-time SSH server of
 * the next one, and verifies and keeps what it wants. Never rejects: what a host did not get, `onHave` did not name.
 * Nothing of the chain is left on any host afterwards, or 30 seconds after this process is gone.
 * @returns hosts that could not be a part of it, and why
 */
export async function sendAlongChain(options: ChainOptions): Promise<Map<Host, string>> {
  const { directory, blobs, wants } = options;
  const failures = new Map<Host, string>();
  if (options.signal.aborted) return failures;
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  // Every host listens to it.
  setMaxListeners(0, signal);
  let lastSign = Date.now();
  const sign = () => {
    lastSign = Date.now();
  };
  const clientKey = oneTimeKey();
  const hostKeys = new Map(options.hosts.map(({ host }) => [host, oneTimeKey()]));
  const successor = new Map<Host, Host>();
  const cut = new Map<Host, AbortController>(options.hosts.map(({ host }) => [host, new AbortController()]));
  const relays = options.hosts.map(({ host, address }, index) => {
    const id = randomBytes(8).toString('hex');
    const inlet = {
      address,
      ports: Array.from({ length: PORT_TRIES }, () => randomInt(PORTS.from, PORTS.to + 1)),
      hostKey: hostKeys.get(host)?.privateKey ?? '',
      clientKey: clientKey.publicKey,
    };
    return startRelay(
      host,
      {
        id,
        directory,
        clientKey: clientKey.privateKey,
        blobs: blobs.map(({ sha256, size }) => ({ sha256, size, keep: wants(host, sha256) })),
        ...(index === 0 ? {} : { inlet }),
      },
      {
        onHave: (sha256) => options.onHave(host, sha256),
        onNext: (text) => {
          const next = successor.get(host);
          if (next === undefined) return;
          failures.set(next, `${host.name} could not feed it: ${text}`);
          // Nothing comes to those behind it any more.
          for (let behind: Host | undefined = next; behind !== undefined; behind = successor.get(behind))
            cut.get(behind)?.abort();
        },
        onSign: sign,
      },
      signal,
    );
  });
  const stalled = setInterval(() => {
    if (Date.now() - lastSign > STALL_MS) broken.abort();
  }, 1000);
  try {
    const ports = await readyPorts(relays, failures);
    const line = inLine(
      relays.filter((relay) => ports.has(relay)),
      failures,
    );
    const [head] = line;
    // The first one alone has no inlet: without it there is no chain.
    if (head === undefined || head !== relays[0] || line.length < 2) return failures;
    for (const [index, relay] of line.entries()) {
      const next = line[index + 1];
      const entry = options.hosts.find(({ host }) => host === next?.host);
      if (next === undefined || entry === undefined) relay.follow(null);
      else {
        successor.set(relay.host, next.host);
        const hostKey = hostKeys.get(next.host)?.publicKey ?? '';
        relay.follow({ address: entry.address, port: ports.get(next) ?? 0, hostKey });
      }
    }
    const fed = head.feed(contents(blobs, sign), { signal, compress: options.compress === true });
    await Promise.all([
      fed,
      ...line.map(({ host, ended }) =>
        Promise.race([ended, aborted(signal), aborted((cut.get(host) ?? broken).signal)]),
      ),
    ]);
  } catch (error) {
    const first = relays[0]?.host;
    if (first !== undefined) failures.set(first, (error as Error).message);
  } finally {
    clearInterval(stalled);
    await Promise.all(relays.map((relay) => relay.close()));
  }
  return failures;
}

/** Relays that take the stream, with their ports. */
async function readyPorts(
  relays: readonly Relay[],
  failures: Map<Host, string>,
): Promise<Map<Relay, number>> {
  const ports = new Map<Relay, number>();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`was not ready after ${READY_MS} ms`)), READY_MS);
  });
  await Promise.all(
    relays.map(async (relay) => {
      try {
        ports.set(relay, await Promise.race([relay.ready, late]));
      } catch (error) {
        failures.set(relay.host, (error as Error).message);
      }
    }),
  );
  clearTimeout(timer);
  return ports;
}

/** One host that can't feed another may come last; more of them are left out. */
function inLine(relays: readonly Relay[], failures: Map<Host, string>): Relay[] {
  const leaves = relays.filter((relay) => relay.leaf());
  for (const relay of leaves.slice(1)) failures.set(relay.host, 'has no ssh to pass anything on');
  return [...relays.filter((relay) => !relay.leaf()), ...leaves.slice(0, 1)];
}

async function* contents(blobs: readonly SourceBlob[], onBytes: () => void): AsyncGenerator<Buffer> {
  for (const { file, size } of blobs) {
    if (size === 0) continue;
    for await (const chunk of createReadStream(file, { end: size - 1, highWaterMark: 256 * 1024 })) {
      yield chunk as Buffer;
      onBytes();
    }
  }
}

/** Resolves when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
