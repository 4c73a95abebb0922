import { gzipped } from '../../archive/gzip.js';
import type { Host } from '../../host/types.js';
import { BEAT, type RelayOptions, relayDirectory, relayScript } from './relay-script.js';

const BEAT_MS = 5000;

/** A host of a chain while its relay runs. */
export interface Relay {
  readonly host: Host;
  /** Its port once it takes the stream. Rejects where it can't. */
  readonly ready: Promise<number>;
  /** It can feed nobody. */
  leaf(): boolean;
  /** Names the host after it; null for the last one. */
  follow(next: { address: string; port: number; hostKey: string } | null): void;
  /** Feeds the first host of a chain, as gzip where that is asked for; resolves when all of it was taken. */
  feed(stream: AsyncIterable<Buffer>, how: { signal: AbortSignal; compress: boolean }): Promise<unknown>;
  /** The stream is through, or will come no further. Never rejects. */
  readonly ended: Promise<void>;
  /** Ends it, with everything of it on the host. Never rejects. */
  close(): Promise<void>;
}

export interface RelayEvents {
  /** A blob is verified and in its place. */
  onHave: (sha256: string) => void;
  /** The host after it is not fed any more, and why. */
  onNext: (text: string) => void;
  /** Anything was heard of it. */
  onSign: () => void;
}

/** Starts a host's relay. What it makes on the host goes when it is closed, or when this process is gone. */
export function startRelay(
  host: Host,
  options: RelayOptions,
  events: RelayEvents,
  signal: AbortSignal,
): Relay {
  const closing = new AbortController();
  let leaf = false;
  let rest = '';
  const ready = deferred<number>();
  const ended = deferred<void>();
  const follower = deferred<string>();
  // What nobody waits for any more must be no unhandled rejection.
  ready.promise.catch(() => undefined);
  follower.promise.catch(() => undefined);

  const heard = (line: string): void => {
    const [word = '', argument = ''] = line.split(' ');
    if (word === 'leaf') leaf = true;
    else if (word === 'ready') ready.resolve(Number(argument));
    else if (word === 'have') events.onHave(argument);
    else if (word === 'next' && argument !== 'done') events.onNext(line.slice('next '.length));
    else if (word === 'lost' || word === 'end') ended.resolve();
    events.onSign();
  };
  const script = Buffer.from(relayScript(options));
  const run = host.exec(receiver(script.length), {
    stdin: beats(script, follower.promise, closing.signal),
    timeoutMs: 0,
    signal,
    onStdout: (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) heard(line);
    },
  });
  const finished = run.then(
    () => new Error('the relay ended early'),
    (error: unknown) => error,
  );
  const over = finished.then((reason) => {
    ready.reject(reason);
    ended.resolve();
  });
  return {
    host,
    ready: ready.promise,
    leaf: () => leaf,
    follow: (next) =>
      follower.resolve(next === null ? '-\n' : `${next.address} ${next.port} ${next.hostKey}\n`),
    feed: (stream, { signal: abort, compress }) => {
      const feed = `${relayDirectory(options.id)}/feed`;
      const argv = compress ? ['sh', '-c', 'gzip -dc | sh "$1"', 'keelson-feed', feed] : ['sh', feed];
      return host.exec(argv, { stdin: compress ? gzipped(stream) : stream, timeoutMs: 0, signal: abort });
    },
    ended: ended.promise,
    close: async () => {
      closing.abort();
      follower.reject(new Error('closed'));
      await over;
    },
  };
}

/** As files are put: the script's exact bytes from stdin, which then belongs to the script. */
function receiver(scriptBytes: number): string[] {
  const script = 'p=$(dd bs=65536 iflag=fullblock,count_bytes count="$1" 2>/dev/null) || exit 1; eval "$p"';
  return ['sh', '-c', script, 'keelson-relay', String(scriptBytes)];
}

/** The script, the line about the next host, then beats until `closing`. */
async function* beats(
  script: Buffer,
  follower: Promise<string>,
  closing: AbortSignal,
): AsyncGenerator<Buffer> {
  yield script;
  try {
    yield Buffer.from(await follower);
  } catch {
    return;
  }
  while (!closing.aborted) {
    yield Buffer.from(BEAT);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, BEAT_MS);
      closing.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}
