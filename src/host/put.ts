import { createHash, randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { gzipped } from '../archive/gzip.js';
import { tarStream } from '../archive/tar.js';
import { KeelsonError } from '../errors/keelson-error.js';
import {
  buildCompareScript,
  buildPutPlan,
  receiverArgv,
  type StagedFile,
  stagingDirectory,
} from './put-script.js';
import { allOrNothing } from './quote.js';
import { parseFrames } from './records.js';
import type { ExecOptions, ExecResult, FileSpec } from './types.js';

/** Files up to this size, in bytes, are compared by digest at once and flushed before the rename. */
const SMALL_BYTES = 1024 * 1024;

export interface PutOptions {
  signal?: AbortSignal;
  onBytes?: (bytes: number) => void;
  /** As gzip. */
  compress?: boolean;
}

/** How `putFiles` talks to the host. */
export interface PutTransport {
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  script(name: string, text: string, options: ExecOptions): Promise<ExecResult>;
}

/** See `Host.put`. Errors: USAGE for a path or owner that can't be meant, CONFIG for an unreadable local file. */
export async function putFiles(
  transport: PutTransport,
  files: readonly FileSpec[],
  options: PutOptions = {},
): Promise<string[]> {
  if (files.length === 0) return [];
  const wanted = files.map((spec) => ({ spec, path: spec.path, ...measure(spec) }));
  checkSpecs(files);
  const limits: ExecOptions = {
    timeoutMs: 0,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const answer = await transport.script('put/compare', buildCompareScript(wanted, SMALL_BYTES), limits);
  const standing = parseStanding(answer.stdout);

  const id = randomBytes(6).toString('hex');
  const staged: StagedFile[] = wanted
    .filter((file) => !isEqual(file, standing))
    .map(({ spec, sha256, size }) => ({
      spec,
      sha256,
      size,
      staged: posix.join(stagingDirectory(spec.path, id), posix.basename(spec.path)),
    }));
  if (staged.length === 0) return [];
  await checkLocalFiles(staged);

  const plan = Buffer.from(allOrNothing(buildPutPlan(staged, id, SMALL_BYTES, options.compress)));
  const stdin = stream(plan, staged, options);
  await transport.exec(receiverArgv(plan.length), { ...limits, stdin });
  return staged.map((file) => file.spec.path);
}

interface Standing {
  privileged: boolean;
  modes: Map<string, { mode: number; owner: string }>;
  digests: Map<string, string>;
}

function parseStanding(bytes: Buffer): Standing {
  const standing: Standing = { privileged: false, modes: new Map(), digests: new Map() };
  for (const { kind, head } of parseFrames(bytes)) {
    if (kind === 'u') standing.privileged = head === '0';
    else if (kind === 'd') standing.digests.set(head.slice(66), head.slice(0, 64));
    else if (kind === 's') {
      const [, type, mode, owner, path] = /^(\S) ([0-7]+) (\S+) \d+ \S+ ([\s\S]+)$/.exec(head) ?? [];
      if (type === 'f' && path !== undefined) {
        standing.modes.set(path, { mode: Number.parseInt(mode ?? '', 8), owner: owner ?? '' });
      }
    }
  }
  return standing;
}

function isEqual(file: { spec: FileSpec; sha256: string }, standing: Standing): boolean {
  const { path, mode, owner = standing.privileged ? 'root:root' : undefined } = file.spec;
  const there = standing.modes.get(path);
  return (
    there !== undefined &&
    there.mode === mode &&
    (owner === undefined || there.owner === owner) &&
    standing.digests.get(path) === file.sha256
  );
}

function measure({ content }: FileSpec): { size: number; sha256: string } {
  if (!Buffer.isBuffer(content)) return content;
  return { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

function checkSpecs(files: readonly FileSpec[]): void {
  const seen = new Set<string>();
  for (const { path, owner, mode } of files) {
    // Line breaks would end a line of the digest list.
    const plain = posix.isAbsolute(path) && posix.normalize(path) === path && !/[\n\r\0]|\/$/.test(path);
    if (!plain) throw new KeelsonError('USAGE', `${JSON.stringify(path)} is no absolute path of a file`);
    if (seen.has(path)) throw new KeelsonError('USAGE', `${path} is to be written twice`);
    seen.add(path);
    if (owner !== undefined && !/^[\w.-]+:[\w.-]+$/.test(owner)) {
      throw new KeelsonError('USAGE', `${JSON.stringify(owner)} is no owner of the form user:group`);
    }
    if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
      throw new KeelsonError('USAGE', `${mode} is no file mode`);
    }
  }
}

async function checkLocalFiles(files: readonly StagedFile[]): Promise<void> {
  for (const { spec, size } of files) {
    if (Buffer.isBuffer(spec.content)) continue;
    const { localPath } = spec.content;
    const found = await stat(localPath).catch((error: unknown) => {
      throw new KeelsonError('CONFIG', `cannot read ${localPath}`, { cause: error });
    });
    if (found.size !== size) {
      throw new KeelsonError('CONFIG', `${localPath} has ${found.size} bytes instead of ${size}`, {
        hint: 'the file changed: build or verify the bundle again',
      });
    }
  }
}

/** The plan, then the archive it unpacks. */
async function* stream(
  plan: Buffer,
  files: readonly StagedFile[],
  { onBytes, compress = false }: PutOptions,
): AsyncGenerator<Buffer> {
  yield plan;
  const entries = files.map(({ spec: { content }, staged, size }) => ({
    header: { name: staged, mode: 0o600, mtime: new Date(0), uid: 0, gid: 0 },
    content: Buffer.isBuffer(content) ? content : { file: content.localPath, size },
  }));
  try {
    const archive = tarStream(entries);
    for await (const chunk of compress ? gzipped(archive) : archive) {
      onBytes?.(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw new KeelsonError('CONFIG', `cannot read what is to be sent: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
