import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { PatchFile } from '../manifests/patches.js';

/** Patches of each host that has any, by its name. */
export async function patchesOf(config: ClusterConfig): Promise<Map<string, PatchFile[]>> {
  const byDirectory = new Map<string, PatchFile[]>();
  const result = new Map<string, PatchFile[]>();
  for (const host of config.hosts) {
    const directory = host.patchesDirectory;
    if (directory === null) continue;
    const known = byDirectory.get(directory) ?? (await readPatches(directory));
    byDirectory.set(directory, known);
    result.set(host.name, known);
  }
  return result;
}

/** Files of a patches directory on the operator's machine. */
async function readPatches(directory: string): Promise<PatchFile[]> {
  try {
    const names = (await readdir(directory, { withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
    return await Promise.all(
      names.sort().map(async (name) => ({ name, content: await readFile(join(directory, name), 'utf8') })),
    );
  } catch (cause) {
    throw new KeelsonError('CONFIG', `patches directory ${directory} can't be read`, {
      cause,
      hint: 'correct patches.directory',
    });
  }
}
