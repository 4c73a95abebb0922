import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { labRoot } from './layout.js';
import { labTag } from './names.js';
import type { LabNode, LabState } from './types.js';

const stateFile = (stateRoot: string, lab: string) => join(labRoot(stateRoot, lab), 'lab.json');

/** The lab's state, or null where there is none or a crash left it unreadable. */
export async function readState(stateRoot: string, lab: string): Promise<LabState | null> {
  try {
    const state = JSON.parse(await readFile(stateFile(stateRoot, lab), 'utf8')) as LabState;
    return state.version === 1 && state.name === lab && Array.isArray(state.nodes) ? state : null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof SyntaxError || code === 'ENOENT') return null;
    if (code !== 'EACCES') throw error;
    throw new KeelsonError('LAB', 'only root may look into labs', { hint: 'run the same command with sudo' });
  }
}

/** The lab's state; LAB where there is no such lab. */
export async function requireState(stateRoot: string, lab: string): Promise<LabState> {
  const state = await readState(stateRoot, lab);
  if (state !== null) return state;
  throw new KeelsonError('LAB', `there is no lab '${lab}'`, {
    hint: `make it with: keelson lab up --name ${lab}`,
  });
}

/** The node of that name; LAB where the lab has none. */
export function requireNode(state: LabState, node: string): LabNode {
  const found = state.nodes.find((candidate) => candidate.name === node);
  if (found !== undefined) return found;
  throw new KeelsonError('LAB', `lab '${state.name}' has no node '${node}'`, {
    hint: `its nodes are ${state.nodes.map((candidate) => candidate.name).join(', ')}`,
  });
}

/** Replaces the state file at once. */
export async function writeState(stateRoot: string, state: LabState): Promise<void> {
  const path = stateFile(stateRoot, state.name);
  await mkdir(labRoot(stateRoot, state.name), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Names of all labs that have a directory below the state root. */
export async function labsOnDisk(stateRoot: string): Promise<string[]> {
  const entries = await readdir(stateRoot, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Throws LAB if another lab's interfaces would have the same names as this one's. */
export async function requireOwnTag(stateRoot: string, lab: string): Promise<void> {
  const other = (await labsOnDisk(stateRoot)).find((name) => name !== lab && labTag(name) === labTag(lab));
  if (other === undefined) return;
  throw new KeelsonError('LAB', `labs '${other}' and '${lab}' would share the names of their interfaces`, {
    hint: 'choose another name',
  });
}
