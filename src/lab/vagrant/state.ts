import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Role } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { LabRef } from '../driver.js';
import type { VagrantLogin } from './ssh-config.js';

/** A machine, with how to log in to it once it has run. */
export interface VagrantNode {
  name: string;
  role: Role;
  /** Address in the cluster. */
  nodeIP: string;
  login: Omit<VagrantLogin, 'name'> | null;
}

/** `vagrant.json` in the lab's directory. */
export interface VagrantState {
  version: 1;
  name: string;
  profile: string;
  /** null: the one that Vagrant chooses. */
  provider: string | null;
  /** For example `192.168.56.0/24`. */
  subnet: string;
  /** KEELSON_VAGRANT_* as they were at the first `up`: the machines keep their box and size. */
  settings: Readonly<Record<string, string>>;
  nodes: VagrantNode[];
}

const stateFile = (directory: string) => join(directory, 'vagrant.json');

/** Vagrant's own state of the lab. */
export const dotfilePath = (directory: string) => join(directory, 'vagrant');

/** The state of the lab in `directory`, or null where that is no Vagrant lab. */
export async function readVagrantState(directory: string): Promise<VagrantState | null> {
  try {
    const state = JSON.parse(await readFile(stateFile(directory), 'utf8')) as VagrantState;
    return state.version === 1 && Array.isArray(state.nodes) ? state : null;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** A machine that Vagrant made, as its own state has it. */
export interface MadeMachine {
  node: string;
  provider: string;
  id: string;
}

/** Machines that Vagrant has made for the lab in `directory` and not removed; without asking Vagrant. */
export async function machinesMade(directory: string): Promise<MadeMachine[]> {
  const root = join(dotfilePath(directory), 'machines');
  const made: MadeMachine[] = [];
  for (const node of await readdir(root).catch(() => [])) {
    for (const provider of await readdir(join(root, node)).catch(() => [])) {
      const id = await readFile(join(root, node, provider, 'id'), 'utf8').catch(() => '');
      if (id.trim() !== '') made.push({ node, provider, id: id.trim() });
    }
  }
  return made;
}

/** The lab's state; LAB where there is no such lab. */
export async function requireVagrantState(lab: LabRef): Promise<VagrantState> {
  const state = await readVagrantState(lab.directory);
  if (state !== null) return state;
  throw new KeelsonError('LAB', `there is no Vagrant lab '${lab.name}' in ${lab.directory}`, {
    hint: `make it with: keelson lab up --driver vagrant --name ${lab.name}`,
  });
}

/** The node of that name; LAB where the lab has none. */
export function requireVagrantNode(state: VagrantState, node: string): VagrantNode {
  const found = state.nodes.find((candidate) => candidate.name === node);
  if (found !== undefined) return found;
  throw new KeelsonError('LAB', `lab '${state.name}' has no node '${node}'`, {
    hint: `its nodes are ${state.nodes.map((candidate) => candidate.name).join(', ')}`,
  });
}

/** Replaces the state file at once. */
export async function writeVagrantState(directory: string, state: VagrantState): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = stateFile(directory);
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o644 });
  await rename(`${path}.new`, path);
}
