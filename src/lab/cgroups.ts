import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { waitUntil } from './wait.js';

/** One mounted hierarchy: on v1 there is one a controller, on v2 one for all. */
export interface Hierarchy {
  mountPoint: string;
  version: 1 | 2;
}

/** Hierarchies below /sys/fs/cgroup, from the text of /proc/mounts. */
export function parseHierarchies(mounts: string): Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  for (const line of mounts.split('\n')) {
    const [, mountPoint = '', type] = line.split(' ');
    if (!mountPoint.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup') found.set(mountPoint, { mountPoint, version: 1 });
    if (type === 'cgroup2') found.set(mountPoint, { mountPoint, version: 2 });
  }
  return [...found.values()];
}

/** 2 where the one unified hierarchy has all controllers, else 1 (legacy or hybrid). */
export function cgroupVersion(hierarchies: readonly Hierarchy[]): 1 | 2 {
  return hierarchies.some((hierarchy) => hierarchy.version === 1) ? 1 : 2;
}

export async function readHierarchies(): Promise<Hierarchy[]> {
  return parseHierarchies(await readFile('/proc/mounts', 'utf8'));
}

/**
 * Makes the control group `path` (for example `keelson-lab/cp1`) in every hierarchy, ready to hold
 * processes: on v1 a cpuset without cpus and memory nodes takes none, on v2 a parent has to pass its
 * controllers on.
 * @returns the directories, one a hierarchy
 */
export async function makeCgroup(hierarchies: readonly Hierarchy[], path: string): Promise<string[]> {
  const directories: string[] = [];
  for (const { mountPoint, version } of hierarchies) {
    let directory = mountPoint;
    for (const part of path.split('/')) {
      if (version === 2) await passControllersOn(directory);
      directory = join(directory, part);
      await mkdir(directory, { recursive: true });
      if (version === 1) await fillCpuset(directory);
    }
    directories.push(directory);
  }
  return directories;
}

/** One write a controller: the kernel refuses a request as a whole where it can't pass on one of them. */
async function passControllersOn(directory: string): Promise<void> {
  const controllers = await readFile(join(directory, 'cgroup.controllers'), 'utf8');
  for (const controller of controllers.trim().split(' ').filter(Boolean)) {
    await writeFile(join(directory, 'cgroup.subtree_control'), `+${controller}`).catch(
      (error: NodeJS.ErrnoException) => {
        // Busy or taken by real-time processes: the kubelet names what it misses.
        if (error.code !== 'EBUSY' && error.code !== 'EINVAL') throw error;
      },
    );
  }
}

async function fillCpuset(directory: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const own = await readFile(join(directory, file), 'utf8').catch(() => null);
    if (own === null || own.trim() !== '') continue;
    await writeFile(join(directory, file), await readFile(join(dirname(directory), file), 'utf8'));
  }
}

/** Control groups of all hierarchies at or below `path`, children before parents. */
async function subtree(hierarchies: readonly Hierarchy[], path: string): Promise<string[]> {
  const walk = async (directory: string): Promise<string[]> => {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => null);
    if (entries === null) return [];
    const children = entries.filter((entry) => entry.isDirectory());
    const below = await Promise.all(children.map((entry) => walk(join(directory, entry.name))));
    return [...below.flat(), directory];
  };
  const trees = await Promise.all(hierarchies.map(({ mountPoint }) => walk(join(mountPoint, path))));
  return trees.flat();
}

/** Every process in the control group `path` and below, in any hierarchy. */
export async function processesIn(hierarchies: readonly Hierarchy[], path: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const directory of await subtree(hierarchies, path)) {
    const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      // 0 stands for a process of another pid namespace: not ours to see, not ours to kill.
      if (Number(line) > 0) pids.add(Number(line));
    }
  }
  return [...pids];
}

/** Removes the control group `path` and all below from every hierarchy. Processes in it must be gone. */
export async function removeCgroup(hierarchies: readonly Hierarchy[], path: string): Promise<boolean> {
  const found = (await subtree(hierarchies, path)).length > 0;
  await waitUntil(
    async () => {
      let busy: string | null = null;
      for (const directory of await subtree(hierarchies, path)) {
        await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') busy = `${directory} is busy (${error.code})`;
        });
      }
      return busy;
    },
    { what: `removing control group ${path}`, timeoutMs: 15_000, everyMs: 20 },
  );
  return found;
}

/** Names of control groups directly at the root of any hierarchy. */
export async function rootCgroups(hierarchies: readonly Hierarchy[]): Promise<string[]> {
  const names = new Set<string>();
  for (const { mountPoint } of hierarchies) {
    for (const entry of await readdir(mountPoint, { withFileTypes: true }).catch(() => [])) {
      if (entry.isDirectory()) names.add(entry.name);
    }
  }
  return [...names];
}
