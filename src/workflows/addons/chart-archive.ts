import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashFile } from '../../bundle/cache.js';
import { run } from '../../bundle/run.js';
import type { ChartSource } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { HELM_ENVIRONMENT, spokenReason } from './helm-run.js';
import type { Rendering } from './rendering.js';

type Remote = Extract<ChartSource['from'], { repository: string }>;

/**
 * A chart of a repository as a file: fetched once, and then taken from the cache by its digest.
 * @returns path, and what removes it again where there is no cache
 * @throws CONNECTION where it can't be fetched, CONFIG for one with another digest
 */
export async function chartArchive(
  from: Remote,
  rendering: Rendering,
): Promise<{ file: string; dispose: () => Promise<void> }> {
  const { cacheDir } = rendering;
  const folder =
    cacheDir === undefined ? await mkdtemp(join(tmpdir(), 'keelson-chart-')) : join(cacheDir, 'charts');
  const dispose = async () => {
    if (cacheDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  const file = join(folder, `${from.sha256}.tgz`);
  try {
    if ((await stat(file).catch(() => null)) === null) await fetchChart(from, folder, file, rendering);
    return { file, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function fetchChart(
  from: Remote,
  folder: string,
  file: string,
  { helm, signal }: Rendering,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const temporary = await mkdtemp(join(folder, '.tmp-'));
  try {
    await pull(from, temporary, await helm(), signal);
    const [name] = (await readdir(temporary)).filter((entry) => entry.endsWith('.tgz'));
    if (name === undefined) throw new KeelsonError('BUG', `helm pull left no archive of ${from.name}`);
    const { sha256 } = await hashFile(join(temporary, name));
    if (sha256 !== from.sha256)
      throw new KeelsonError(
        'CONFIG',
        `the chart ${from.name} ${from.version} of ${from.repository} has the SHA-256 ${sha256}, not ${from.sha256}`,
        { hint: 'what is there has changed: look at it, then correct sha256 in the cluster file' },
      );
    await rename(join(temporary, name), file);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function pull({ repository, name, version }: Remote, into: string, helm: string, signal: AbortSignal) {
  const chart = repository.startsWith('oci:')
    ? [`${repository.replace(/\/$/, '')}/${name}`]
    : [name, '--repo', repository];
  try {
    await run(helm, ['pull', ...chart, '--version', version, '--destination', into], {
      env: HELM_ENVIRONMENT,
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw new KeelsonError(
      'CONNECTION',
      `the chart ${name} ${version} of ${repository} can't be fetched: ${spokenReason(cause)}`,
      { cause, hint: 'fetch it where there is a way out, and name the file instead' },
    );
  }
}
