import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { cacheDir } from './cache.js';
import type { CliIO } from './command.js';

/** Where names of hosts that a run left out are kept, by the cluster file. */
function fileOf(config: ClusterConfig, io: CliIO): string {
  const key = createHash('sha256')
    .update(config.file ?? '')
    .digest('hex')
    .slice(0, 12);
  return join(cacheDir(io), 'left-out', `${config.name}-${key}.json`);
}

/** Remembers the hosts that a run left out; none: forgets those of earlier runs. */
export async function rememberFailed(
  names: readonly string[],
  config: ClusterConfig,
  io: CliIO,
): Promise<void> {
  const file = fileOf(config, io);
  if (names.length === 0) return rm(file, { force: true });
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(names)}\n`);
}

/** Hosts that the last run left out and that the file still has. @throws USAGE where there are none */
export async function failedBefore(config: ClusterConfig, io: CliIO): Promise<string[]> {
  const text = await readFile(fileOf(config, io), 'utf8').catch(() => '[]');
  const names = JSON.parse(text) as string[];
  const known = config.hosts.filter(({ name, state }) => state === 'present' && names.includes(name));
  if (known.length > 0) return known.map(({ name }) => name);
  throw new KeelsonError('USAGE', `the last run on ${config.name} left no host out`, {
    hint: 'leave --retry-failed out',
  });
}
