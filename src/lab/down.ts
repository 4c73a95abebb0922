import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { dropAbandonedBuilds } from './base.js';
import { type Hierarchy, readHierarchies, removeCgroup } from './cgroups.js';
import { labRoot } from './layout.js';
import { withLabLock } from './lock.js';
import { killMachine, runningMachines } from './machine.js';
import { assertLabName, labCgroup, parseNodeName } from './names.js';
import { removeNetwork } from './network.js';
import { removeTree } from './remove-tree.js';
import { readState } from './state.js';
import { requireRoot } from './tools.js';
import { DEFAULT_STATE_ROOT, type LabOptions } from './types.js';

export interface LabDownSpec {
  name: string;
  /** Directory of the lab as `labUp` got it; removed as a whole. */
  directory: string;
  /** Where half-built bases may lie; complete ones stay for the next lab. */
  cacheDir?: string;
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Removes a lab with all that belongs to it: processes, control groups, interfaces, mounts, disks, and its
 * directory. Everything is found by its name, so a lab that crashed half-made, or whose state is lost, goes
 * as well. A lab that is not there is no error. LAB where the lab belongs to another, existing
 * directory; LOCKED while another process works on it.
 * @returns what was removed, in words; empty where there was nothing
 */
export async function labDown(spec: LabDownSpec, options: LabOptions = {}): Promise<string[]> {
  assertLabName(spec.name);
  requireRoot();
  const stateRoot = options.stateRoot ?? DEFAULT_STATE_ROOT;
  return withLabLock(stateRoot, spec.name, () => takeDown(spec, stateRoot, options));
}

async function takeDown(spec: LabDownSpec, stateRoot: string, options: LabOptions): Promise<string[]> {
  const { name } = spec;
  const state = await readState(stateRoot, name);
  if (state !== null && state.directory !== spec.directory && (await exists(state.directory))) {
    throw new KeelsonError('LAB', `lab '${name}' belongs to ${state.directory}`, {
      hint: 'remove it from there',
    });
  }
  const removed: string[] = [];
  const note = (what: string) => {
    removed.push(what);
    options.onEvent?.({ kind: 'removed', what });
  };
  const hierarchies = await readHierarchies();
  const root = labRoot(stateRoot, name);
  const nodes = new Set(state?.nodes.map((node) => node.name));
  for (const node of await traces(name, root, hierarchies)) nodes.add(node);
  await Promise.all(
    [...nodes].map(async (node) => {
      if (await killMachine(name, node, hierarchies)) note(`machine ${node}`);
    }),
  );
  if (await removeCgroup(hierarchies, labCgroup(name))) note(`control groups ${labCgroup(name)}`);
  for (const what of await removeNetwork(name)) note(what);
  if (await exists(root)) {
    for (const mount of await removeTree(root)) note(`mount ${mount}`);
    note(root);
  }
  if (await exists(spec.directory)) {
    await rm(spec.directory, { recursive: true, force: true });
    note(spec.directory);
  }
  // Not empty: other labs are there.
  await rmdir(dirname(spec.directory)).catch(() => {});
  if (spec.cacheDir !== undefined) await dropAbandonedBuilds(spec.cacheDir);
  return removed;
}

/** Names of nodes of which anything is left: a process, a control group, a directory. */
async function traces(lab: string, root: string, hierarchies: readonly Hierarchy[]): Promise<string[]> {
  const running = (await runningMachines()).filter((machine) => machine.lab === lab);
  const folders = [root, ...hierarchies.map(({ mountPoint }) => join(mountPoint, labCgroup(lab)))];
  const entries = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return [
    ...running.map((machine) => machine.node),
    ...entries.flat().filter((entry) => parseNodeName(entry) !== null),
  ];
}
