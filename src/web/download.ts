import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { failure, type WebResponse } from './client.js';
import { isPassing, type RetrySettings, retrying, TryLater } from './retry.js';

export interface DownloadOptions extends RetrySettings {
  /** Expected content; null for a size that is not known. */
  sha256: string;
  size: number | null;
  /** Where it goes, read-only, once every byte is checked; what has come so far waits in `<file>.part`. */
  file: string;
  /** Asks for the content from a byte on. */
  ask: (headers: Readonly<Record<string, string>>) => Promise<WebResponse>;
  /** For errors. */
  name: string;
  onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Downloads a content that is known by its digest: goes on where an earlier attempt was broken off, tries again
 * while the server is only busy. A wrong digest of what was put together from several attempts is tried once more
 * from the beginning.
 * @throws KeelsonError BUNDLE (wrong content, not there), AUTHENTICATION, CONNECTION
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { file } = options;
  const part = `${file}.part`;
  await mkdir(dirname(file), { recursive: true });
  let resumed = false;
  await retrying(options, async (progress) => {
    const before = await sizeOf(part);
    const start = options.size !== null && before > options.size ? 0 : before;
    if (before > 0 && start === 0) await rm(part, { force: true });
    if (start > 0) resumed = true;
    if (start !== options.size || start === 0) await transfer(part, start, options, progress);
    const actual = await hashOf(part);
    if (actual === options.sha256) return;
    await rm(part, { force: true });
    const error = new KeelsonError(
      'BUNDLE',
      `${options.name}: has sha256 ${actual}, expected ${options.sha256}`,
      {
        hint: 'the server gives something else than it should: name another with --mirrors',
        retryable: resumed,
      },
    );
    resumed = false;
    throw error;
  });
  await chmod(part, 0o444);
  await rename(part, file);
}

async function transfer(
  part: string,
  start: number,
  { ask, size, name, onBytes, signal }: DownloadOptions,
  progress: () => void,
): Promise<void> {
  const answer = await ask(start === 0 ? {} : { range: `bytes=${start}-` });
  if (answer.status === 416) {
    // What is there is no beginning of what the server has.
    await answer.body.dump();
    await rm(part, { force: true });
    throw new TryLater(
      new KeelsonError('BUNDLE', `${name}: the server has fewer bytes than came before`),
      undefined,
    );
  }
  await expectContent(answer, name);
  const goesOn =
    answer.status === 206 && answer.headers['content-range']?.startsWith(`bytes ${start}-`) === true;
  const handle = await open(part, goesOn ? 'a' : 'w', 0o644);
  try {
    await receive(handle, answer, { at: goesOn ? start : 0, size, name, onBytes, progress, signal });
  } finally {
    await handle.close();
  }
}

async function receive(
  handle: FileHandle,
  answer: WebResponse,
  context: {
    at: number;
    size: number | null;
    name: string;
    onBytes: DownloadOptions['onBytes'];
    progress: () => void;
    signal: AbortSignal | undefined;
  },
): Promise<void> {
  let at = context.at;
  try {
    for await (const chunk of answer.body) {
      const bytes = chunk as Buffer;
      at += bytes.length;
      if (context.size !== null && at > context.size)
        throw new KeelsonError('BUNDLE', `${context.name}: has more than ${context.size} bytes`, {
          hint: 'the server gives something else than it should: name another with --mirrors',
        });
      await handle.write(bytes);
      context.progress();
      context.onBytes?.(bytes.length);
    }
  } catch (cause) {
    throw failure(new URL(answer.url), cause, context.signal);
  }
  if (context.size !== null && at < context.size)
    throw new KeelsonError('CONNECTION', `${context.name}: ended after ${at} of ${context.size} bytes`, {
      retryable: true,
      hint: 'name another server with --mirrors',
    });
}

/**
 * Nothing, for an answer with content.
 * @throws TryLater for a server that is busy; KeelsonError BUNDLE, AUTHENTICATION for others
 */
export async function expectContent(answer: WebResponse, name: string): Promise<void> {
  if (answer.status === 200 || answer.status === 206) return;
  await answer.body.dump();
  const { status } = answer;
  const origin = new URL(answer.url).origin;
  if (isPassing(status))
    throw new TryLater(
      new KeelsonError('CONNECTION', `${name}: ${origin} answers ${status}`, {
        hint: 'try later, or name another server with --mirrors',
      }),
      answer.headers['retry-after'],
    );
  if (status === 401 || status === 403)
    throw new KeelsonError('AUTHENTICATION', `${name}: ${origin} answers ${status}`, {
      hint: 'name username and passwordFile in the mirrors file, or log in with docker, podman or skopeo',
    });
  throw new KeelsonError(
    'BUNDLE',
    `${name}: ${status === 404 ? 'is not there' : `${origin} answers ${status}`} (${answer.url})`,
    {
      hint: 'check the version, or name another server with --mirrors',
    },
  );
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  if ((await stat(file).catch(() => null)) !== null)
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
  return hash.digest('hex');
}
