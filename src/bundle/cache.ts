import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** One thing to build. Equal `inputs` give equal outputs: their digest is the key in the cache. */
export interface Component {
  name: string;
  version: string;
  /** Go module that it comes from, and its sum as in go.sum; '' for what is no module. */
  module: string;
  sum: string;
  /** Seconds of a cold build on two cores. */
  estimateSeconds: number;
  inputs: readonly string[];
  /** Writes the outputs, regular files, into the empty directory `into`. */
  build(into: string, progress: (detail: string) => void, signal: AbortSignal | undefined): Promise<void>;
}

export interface Output {
  /** Absolute path of the file in the cache. */
  file: string;
  sha256: string;
  size: number;
}

export interface BuiltComponent {
  name: string;
  version: string;
  outputs: ReadonlyMap<string, Output>;
}

/** An output of a component, by their names. */
export function outputOf(built: readonly BuiltComponent[], component: string, output: string): Output {
  const found = built.find(({ name }) => name === component)?.outputs.get(output);
  if (found === undefined) throw new Error(`component ${component} has no output ${output}`);
  return found;
}

/** Digest of strings; each is length-prefixed, so that their boundaries count. */
export function digestOf(inputs: readonly string[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(`${Buffer.byteLength(input)}:`).update(input);
  return hash.digest('hex');
}

/** sha256 of a file in hex, and its size in bytes. */
export async function hashFile(file: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), async (chunks) => {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      size += chunk.length;
      hash.update(chunk);
    }
  });
  return { sha256: hash.digest('hex'), size };
}

const RECORD = 'component.json';

function folderOf(cacheDir: string, component: Component): string {
  const key = digestOf([component.name, component.version, ...component.inputs]).slice(0, 20);
  return join(cacheDir, 'components', `${component.name}-${component.version}-${key}`);
}

/** The component if the cache has it complete, else null. Sizes are checked; digests are `verifyBundle`'s job. */
export async function cachedComponent(
  cacheDir: string,
  component: Component,
): Promise<BuiltComponent | null> {
  const folder = folderOf(cacheDir, component);
  let record: Record<string, { sha256: string; size: number }>;
  try {
    record = JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as typeof record;
  } catch {
    return null;
  }
  const outputs = new Map<string, Output>();
  for (const [name, { sha256, size }] of Object.entries(record)) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found?.size !== size) return null;
    outputs.set(name, { file, sha256, size });
  }
  return { name: component.name, version: component.version, outputs };
}

/** Builds into a temporary folder and renames it: what is in the cache is complete. */
export async function buildComponent(
  cacheDir: string,
  component: Component,
  progress: (detail: string) => void,
  signal: AbortSignal | undefined,
): Promise<BuiltComponent> {
  const folder = folderOf(cacheDir, component);
  const temporary = await temporaryFolder(join(cacheDir, 'components'));
  try {
    await component.build(temporary, progress, signal);
    const record: Record<string, { sha256: string; size: number }> = {};
    for (const name of (await readdir(temporary)).sort()) {
      record[name] = await hashFile(join(temporary, name));
      await chmod(join(temporary, name), 0o555);
    }
    await writeFile(join(temporary, RECORD), `${JSON.stringify(record, null, 2)}\n`);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const built = await cachedComponent(cacheDir, component);
  if (built === null) throw new Error(`${folder} vanished after its build`);
  return built;
}

let sequence = 0;

/** An empty folder of this process; those of processes that are gone are removed on the way. */
async function temporaryFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    const owner = /^\.tmp-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner)))
      await rm(join(parent, name), { recursive: true, force: true });
  }
  sequence += 1;
  const folder = join(parent, `.tmp-${process.pid}-${sequence}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
